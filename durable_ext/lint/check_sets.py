"""The rule on the order of sets. A set of whole numbers or of asyncio's durable futures has the same order always."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from durable_ext.lint.looking import Hit, Look, dotted, written
from durable_ext.lint.meaning import Known
from durable_ext.lint.scopes import Assigned
from durable_ext.lint.verbs import is_durable, is_generator

_MAKERS = frozenset({"builtins.set", "builtins.frozenset"})
_ORDERED_BY = frozenset(
    {
        *("builtins.list", "builtins.tuple", "builtins.enumerate", "builtins.iter", "builtins.zip", "builtins.map"),
        *("builtins.filter", "builtins.reversed", "dict.fromkeys", "builtins.dict.fromkeys", "collections.deque"),
        *("itertools.chain", "itertools.islice", "itertools.batched", "itertools.groupby", "functools.reduce"),
        *("collections.OrderedDict", "asyncio.as_completed"),
    }
)
# What takes a generator and has the same result in any order.
_UNORDERED = frozenset(
    {
        *("builtins.sum", "builtins.any", "builtins.all", "builtins.min", "builtins.max", "builtins.len"),
        *("builtins.set", "builtins.frozenset", "builtins.sorted", "math.fsum", "collections.Counter"),
    }
)
_SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_SET_TYPES = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
_DEEPEST = 6


def check(look: Look) -> Iterator[Hit]:
    """The places where the order of a set comes out."""
    for iterated in _iterated(look):
        if is_set(iterated, look):
            yield Hit(iterated, "DX106", written(iterated))
    node = look.node
    if (
        isinstance(node, ast.Call)
        and look.outside(node.func) == "asyncio.as_completed"
        and _starts_coroutines(node, look)
    ):
        yield Hit(node, "DX106", "asyncio.as_completed of coroutines, of which it makes a set")


def is_set(node: ast.expr, look: Look, depth: int = 0) -> bool:
    """Whether an expression is a set whose order may differ."""
    if depth > _DEEPEST:
        return False
    match node:
        case ast.Set():
            return not _is_numbers(node.elts) and not _is_futures(node.elts, look)
        case ast.SetComp():
            return not _is_futures([node.elt], look)
        case ast.Call():
            return _makes_set(node, look, depth)
        case ast.BinOp():
            sides = (node.left, node.right)
            return isinstance(node.op, _SET_OPERATORS) and any(
                is_set(side, look, depth + 1) or _is_keys(side) for side in sides
            )
        case ast.Name():
            return _holds_set(node, look, depth)
        case _:
            return False


def _iterated(look: Look) -> list[ast.expr]:
    """The expressions that a node goes through in their order."""
    match look.node:
        case ast.For() | ast.AsyncFor():
            return [look.node.iter]
        case ast.ListComp() | ast.DictComp():
            return [part.iter for part in look.node.generators]
        case ast.GeneratorExp() if not _is_unordered(look.parent, look):
            return [part.iter for part in look.node.generators]
        case ast.Starred() if isinstance(look.node.ctx, ast.Load) and not isinstance(look.parent, ast.Set):
            return [look.node.value]
        case ast.Assign() if any(isinstance(target, ast.Tuple | ast.List) for target in look.node.targets):
            return [look.node.value]
        case ast.YieldFrom():
            return [look.node.value]
        case ast.Call():
            return _iterated_by_call(look.node, look)
        case _:
            return []


def _iterated_by_call(node: ast.Call, look: Look) -> list[ast.expr]:
    if isinstance(node.func, ast.Attribute) and node.func.attr == "pop" and not node.args:
        return [node.func.value]
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"join", "extend"}:
        return node.args[:1]
    if look.outside(node.func) not in _ORDERED_BY or _is_unordered(look.parent, look):
        return []
    return [argument for argument in node.args if not isinstance(argument, ast.Starred)]


def _is_unordered(parent: ast.AST, look: Look) -> bool:
    return isinstance(parent, ast.Call) and look.outside(parent.func) in _UNORDERED


def _makes_set(node: ast.Call, look: Look, depth: int) -> bool:
    if look.outside(node.func) in _MAKERS:
        given = node.args[0] if node.args else None
        return given is not None and not _is_futures_inside(given, look) and not _is_number_range(given, look)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _SET_METHODS:
        return is_set(node.func.value, look, depth + 1)
    return False


def _holds_set(node: ast.Name, look: Look, depth: int) -> bool:
    owner = look.scope.owner(node.id)
    bindings = [] if owner is None else owner.names.get(node.id, [])
    known = [one for one in bindings if isinstance(one, Assigned)]
    if not known:
        return False
    if any(one.annotation is not None for one in known):
        return any(_is_set_type(one.annotation) for one in known)
    return all(one.value is not None and is_set(one.value, look, depth + 1) for one in known)


def _is_set_type(annotation: ast.expr | None) -> bool:
    match annotation:
        case ast.Subscript():
            numbers = isinstance(annotation.slice, ast.Name) and annotation.slice.id in {"int", "bool", "float"}
            text = ast.unparse(annotation.slice)
            return _is_set_type(annotation.value) and not numbers and "Task" not in text and "Future" not in text
        case ast.Name() | ast.Attribute():
            return dotted(annotation).rpartition(".")[2] in _SET_TYPES
        case ast.Constant(value=str(text)):
            return text.partition("[")[0].rpartition(".")[2] in _SET_TYPES
        case _:
            return False


def _is_numbers(elements: list[ast.expr]) -> bool:
    return all(isinstance(one, ast.Constant) and isinstance(one.value, int | float) for one in elements)


def _is_number_range(node: ast.expr, look: Look) -> bool:
    return isinstance(node, ast.Call) and look.outside(node.func) == "builtins.range"


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"keys", "items"}


def _is_futures(elements: list[ast.expr], look: Look) -> bool:
    """Whether all are futures of asyncio, whose hash is their number. The tasks of a generator have no such hash."""
    return not is_generator(look.unit.node) and all(is_durable(one, look) for one in elements)


def _is_futures_inside(node: ast.expr, look: Look) -> bool:
    match node:
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
            return _is_futures([node.elt], look)
        case ast.List() | ast.Tuple():
            return bool(node.elts) and _is_futures(node.elts, look)
        case ast.Name():
            owner = look.scope.owner(node.id)
            bindings = [] if owner is None else owner.names.get(node.id, [])
            values = [one.value for one in bindings if isinstance(one, Assigned) and one.value is not None]
            return bool(values) and all(
                not isinstance(one, ast.Name) and _is_futures_inside(one, look) for one in values
            )
        case _:
            return False


def _starts_coroutines(node: ast.Call, look: Look) -> bool:
    """Whether asyncio.as_completed is given coroutines of functions that are known here."""
    given = node.args[0] if node.args else None
    match given:
        case ast.ListComp() | ast.GeneratorExp():
            elements = [given.elt]
        case ast.List() | ast.Tuple() | ast.Set():
            elements = given.elts
        case _:
            return False
    return any(_is_coroutine(one, look) for one in elements)


def _is_coroutine(node: ast.expr, look: Look) -> bool:
    found = look.resolver.meaning(node.func, look.scope) if isinstance(node, ast.Call) else None
    return isinstance(found, Known) and isinstance(found.definition.node, ast.AsyncFunctionDef)
