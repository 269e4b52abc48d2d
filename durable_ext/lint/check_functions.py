"""Rules on Azure Functions: no client and no binding in an orchestrator; and on the app's own loggers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from durable_ext.lint.looking import Hit, Look, dotted
from durable_ext.lint.meaning import Instance, Known, Outside
from durable_ext.lint.replaying import is_silent_at_replay
from durable_ext.lint.roots import ORCHESTRATOR_DECORATORS, decorator_name

_CLIENTS = frozenset(
    {
        *("Client", "DurableClient", "BlockingClient", "DurableOrchestrationClient", "DurableFunctionsClient"),
        *("SyncDurableFunctionsClient", "TaskHubGrpcClient", "AsyncTaskHubGrpcClient"),
    }
)
_HOMES = ("durable_ext", "azure.durable_functions", "durabletask")
_CLIENT_NAMES = frozenset({"client", "starter", "durable_client", "df_client"})
_COMMANDS = frozenset(
    {
        *("start", "start_new", "raise_event", "terminate", "suspend", "resume", "rewind", "restart", "get_status"),
        *("get_status_all", "get_status_by", "purge_instance_history", "purge_instance_history_by", "signal_entity"),
        *("read_entity_state", "wait_for_completion", "wait_until", "purge", "schedule_new_orchestration"),
        *("create_check_status_response", "wait_for_completion_or_create_check_status_response"),
    }
)
_BINDINGS = ("_trigger", "_input", "_output")
_ROUTES = frozenset({"route", "schedule", "function_name", "generic_trigger"})
_LEVELS = frozenset({"debug", "info", "warning", "warn", "error", "critical", "exception", "log", "success", "trace"})
_LOGGERS = frozenset({"logger", "log", "LOGGER", "LOG", "_logger", "_log", "_LOGGER", "_LOG"})
_LOG_HOMES = ("logging.", "structlog.", "loguru.")


def check(look: Look) -> Iterator[Hit]:
    """The rules that a call of a client or of a logger breaks."""
    node = look.node
    if not isinstance(node, ast.Call):
        return
    if _is_client(look.resolver.meaning(node.func, look.scope)) or _commands_by_name(node, look):
        yield Hit(node, "DX601", dotted(node.func))
    elif _logs(node, look) and not is_silent_at_replay(look):
        yield Hit(node, "DX702", dotted(node.func))


def check_whole(look: Look) -> Iterator[Hit]:
    """Bindings among the decorators of an orchestrator."""
    if not look.unit.is_orchestrator:
        return
    for decorator in look.unit.node.decorator_list:
        name = decorator_name(decorator)
        if name not in ORCHESTRATOR_DECORATORS and (name in _ROUTES or name.endswith(_BINDINGS)):
            yield Hit(decorator, "DX603", name)


def _is_client(found: object) -> bool:
    """Whether what is called is a client's class or a method of one."""
    match found:
        case Outside(name=name):
            return name.startswith(_HOMES) and not _CLIENTS.isdisjoint(name.split("."))
        case Known(definition) | Instance(definition):
            # The package itself is among the linted files.
            scopes = [definition.scope, definition.scope.parent]
            nodes = [scope.node for scope in scopes if scope and "durable_ext" in scope.file.path.parts]
            return any(isinstance(node, ast.ClassDef) and node.name in _CLIENTS for node in nodes)
        case _:
            return False


def _commands_by_name(node: ast.Call, look: Look) -> bool:
    """Whether it is a command of something that is called a client, of a type that cannot be told."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _COMMANDS:
        return False
    base = node.func.value
    return isinstance(base, ast.Name) and base.id in _CLIENT_NAMES and look.resolver.meaning(base, look.scope) is None


def _logs(node: ast.Call, look: Look) -> bool:
    name = look.outside(node.func)
    owner, _, level = name.rpartition(".")
    if level not in _LEVELS:
        return False
    is_logger = owner.rpartition(".")[2] in _LOGGERS and not name.startswith(_HOMES)
    return is_logger or name.startswith(_LOG_HOMES)
