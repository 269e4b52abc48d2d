"""The durable calls by name, and what may be done with what they return before it is awaited."""

from __future__ import annotations

import ast

from durable_ext.lint.looking import Look
from durable_ext.lint.source import Function

# Each returns a future, in a generator a task.
CALLS = frozenset(
    {
        *("call_activity", "call_activity_with_retry", "call_sub_orchestrator", "call_sub_orchestrator_with_retry"),
        *("call_http", "call_entity", "get_value_of"),
    }
)
WAITS = frozenset({"create_timer", "wait_for_external_event", "task_all", "task_any"})
VERBS = CALLS | WAITS
ASYNCIO_WAITS = frozenset(
    {
        *("asyncio.sleep", "asyncio.gather", "asyncio.wait", "asyncio.wait_for", "asyncio.shield"),
    }
)
ASYNCIO_TASKS = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
# Decisions that need no await.
DECISIONS = VERBS | {"signal_entity", "send_event", "continue_as_new", "set_custom_status"}

# What each calls by function, besides by name: activities, or else orchestrators.
CALLS_ACTIVITY = frozenset({"call_activity", "call_activity_with_retry"})
CALLS_ORCHESTRATOR = frozenset({"call_sub_orchestrator", "call_sub_orchestrator_with_retry", "start_new_orchestration"})

# What a future or a task has of its own.
TASK_ATTRIBUTES = frozenset(
    {
        *(
            "result",
            "exception",
            "done",
            "cancel",
            "cancelled",
            "add_done_callback",
            "remove_done_callback",
            "get_loop",
        ),
        *("is_completed", "is_faulted", "is_cancelled", "is_canceled", "state", "id", "parent", "children", "future"),
        *("set_name", "get_name", "get_coro", "uncancel", "cancelling", "is_failed", "get_result", "get_exception"),
    }
)


def verb_of(node: ast.AST) -> str:
    """The durable verb that a node calls; empty for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
        return node.func.attr
    return ""


def called_by(node: ast.Call) -> ast.expr | None:
    """What a call of an activity or a child names first: the function, or its name."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name not in CALLS_ACTIVITY | CALLS_ORCHESTRATOR:
        return None
    named = (keyword.value for keyword in node.keywords if keyword.arg == "name")
    return node.args[0] if node.args else next(named, None)


def is_durable(node: ast.expr, look: Look) -> bool:
    """Whether an expression is a future or task of asyncio's orchestrator loop."""
    if verb_of(node):
        return True
    if not isinstance(node, ast.Call):
        return False
    is_group = isinstance(node.func, ast.Attribute) and node.func.attr == "create_task"
    return is_group or look.outside(node.func) in ASYNCIO_TASKS


def is_generator(function: Function) -> bool:
    """Whether a function yields, not counting functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return False
