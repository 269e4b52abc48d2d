"""Rules on durable calls: awaited before use, made whatever the replay, activities called by the context."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from durable_ext.lint.looking import Hit, Look, written
from durable_ext.lint.meaning import Known
from durable_ext.lint.replaying import depends_on_replay, is_silent_at_replay
from durable_ext.lint.scopes import Assigned
from durable_ext.lint.source import Function
from durable_ext.lint.verbs import (
    ASYNCIO_WAITS,
    CALLS,
    CALLS_ACTIVITY,
    DECISIONS,
    TASK_ATTRIBUTES,
    called_by,
    is_generator,
    verb_of,
)

_CONSUMERS = frozenset(
    {
        *("builtins.int", "builtins.float", "builtins.str", "builtins.len", "builtins.bool", "builtins.dict"),
        *("builtins.sum", "builtins.range", "builtins.abs", "builtins.round", "builtins.sorted", "builtins.list"),
        *("builtins.tuple", "builtins.min", "builtins.max", "json.dumps", "json.loads", "builtins.enumerate"),
    }
)
_ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def check(look: Look) -> Iterator[Hit]:
    """The rules that a durable call, or the use of its future, breaks."""
    node = look.node
    if isinstance(node, ast.Call):
        yield from _checked_call(node, look)
    elif isinstance(node, ast.Name) and _holds_future(node, look) and _uses_as_result(node, look, by_name=True):
        yield Hit(node, "DX501", node.id)


def check_whole(look: Look) -> Iterator[Hit]:
    """The rules that the unit's function breaks as a whole."""
    node = look.unit.node
    if look.unit.is_orchestrator and isinstance(node, ast.AsyncFunctionDef) and is_generator(node):
        yield Hit(node, "DX503", node.name)


def _checked_call(node: ast.Call, look: Look) -> Iterator[Hit]:
    verb = verb_of(node)
    subject = verb or look.outside(node.func)
    if verb or subject in ASYNCIO_WAITS:
        is_statement = isinstance(look.parent, ast.Expr)
        if is_statement:
            yield Hit(node, "DX502" if verb in CALLS else "DX501", subject)
        elif verb and _uses_as_result(node, look, by_name=False):
            yield Hit(node, "DX501", subject)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if (name in DECISIONS or subject in ASYNCIO_WAITS) and (depends_on_replay(look) or is_silent_at_replay(look)):
        yield Hit(node, "DX505", name or subject)
    yield from _called_function(node, look)
    given = called_by(node)
    if given is not None and _is_unregistered(given, name, look):
        yield Hit(given, "DX604", written(given))


def _is_unregistered(given: ast.expr, verb: str, look: Look) -> bool:
    """Whether a function is certainly not what the verb calls: nobody decorates it, or hands it on to be registered."""
    if isinstance(given, ast.Lambda):
        return True
    found = look.resolver.meaning(given, look.scope)
    if not isinstance(found, Known) or isinstance(found.definition.node, ast.ClassDef):
        return False
    function, facts = found.definition.node, look.facts
    is_activity, is_orchestrator = function in facts.activities, function in facts.orchestrators
    if is_activity or is_orchestrator:
        return not (is_activity if verb in CALLS_ACTIVITY else is_orchestrator)
    return not function.decorator_list and function not in facts.handed_on


def _called_function(node: ast.Call, look: Look) -> Iterator[Hit]:
    found = look.resolver.meaning(node.func, look.scope)
    if not isinstance(found, Known) or isinstance(found.definition.node, ast.ClassDef):
        return
    function = found.definition.node
    if function in look.facts.activities:
        yield Hit(node, "DX602", function.name)
    elif isinstance(function, ast.AsyncFunctionDef):
        if isinstance(look.parent, ast.Expr) and not is_generator(function):
            yield Hit(node, "DX501", function.name)
    elif _runs_nothing(node, function, look):
        yield Hit(node, "DX504", function.name)


def _runs_nothing(node: ast.Call, function: Function, look: Look) -> bool:
    """Whether a generator that makes durable calls is called and dropped, or yielded as if it were a task."""
    if not isinstance(look.parent, ast.Expr | ast.Yield) or not is_generator(function):
        return False
    return is_generator(look.unit.node) or isinstance(look.parent, ast.Expr)


def _holds_future(node: ast.Name, look: Look) -> bool:
    """Whether a name is given futures of durable calls and nothing else."""
    owner = look.scope.owner(node.id)
    if not isinstance(node.ctx, ast.Load) or owner is None or look.is_outer(owner):
        return False
    bindings = owner.names.get(node.id, [])
    return bool(bindings) and all(
        isinstance(one, Assigned) and one.value is not None and bool(verb_of(one.value)) for one in bindings
    )


def _uses_as_result(node: ast.expr, look: Look, *, by_name: bool) -> bool:
    """Whether a future is used as if it were the result. Tasks may be compared for being the same."""
    parent = look.parent
    match parent:
        case ast.BinOp() | ast.UnaryOp() | ast.FormattedValue():
            return True
        case ast.Compare():
            return not by_name or any(isinstance(operator, _ORDERINGS) for operator in parent.ops)
        case ast.Subscript() | ast.For() | ast.comprehension():
            return node is (parent.value if isinstance(parent, ast.Subscript) else parent.iter)
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            return node is parent.test
        case ast.Attribute():
            return parent.attr not in TASK_ATTRIBUTES
        case ast.Return():
            return look.unit.is_orchestrator and look.scope is look.unit.scope
        case ast.keyword(arg="input_"):
            return verb_of(look.unit.file.parents[parent]) in CALLS
        case ast.Call():
            return _takes_result(node, parent, look)
        case _:
            return False


def _takes_result(node: ast.expr, call: ast.Call, look: Look) -> bool:
    if verb_of(call) in CALLS:
        return node in call.args[1:]
    return node in call.args and look.outside(call.func) in _CONSUMERS
