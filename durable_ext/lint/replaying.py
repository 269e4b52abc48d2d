"""Whether a node runs whatever the replay, or only when it does not replay: `if not ctx.is_replaying`."""

from __future__ import annotations

import ast
from typing import Any, cast

from durable_ext.lint.looking import Look


def is_silent_at_replay(look: Look) -> bool:
    """Whether the node is run only outside a replay."""
    return look.unit.quiet or any(_keeps_out(block, child) for block, child in _way_up(look))


def depends_on_replay(look: Look) -> bool:
    """Whether a replay decides if the node runs."""
    return any(
        isinstance(block, ast.If | ast.IfExp | ast.While) and child is not block.test and _asks(block.test)
        for block, child in _way_up(look)
    )


def _way_up(look: Look) -> list[tuple[ast.AST, ast.AST]]:
    """The nodes around, from within, each with the child that the way comes from."""
    parents, child = look.unit.file.parents, look.node
    way: list[tuple[ast.AST, ast.AST]] = []
    while child is not look.unit.node:
        way.append((parents[child], child))
        child = parents[child]
    return way


def _keeps_out(block: ast.AST, child: ast.AST) -> bool:
    if isinstance(block, ast.If):
        if child in block.body and _is_false_at_replay(block.test):
            return True
        if child in block.orelse and _is_replaying(block.test):
            return True
    return any(_leaves_at_replay(before) for before in _before(block, child))


def _before(block: ast.AST, child: ast.AST) -> list[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        statements: Any = getattr(block, name, None)
        if isinstance(statements, list) and child in statements:
            before = cast("list[ast.stmt]", statements)
            return before[: before.index(cast("ast.stmt", child))]
    return []


def _leaves_at_replay(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If)
        and _is_replaying(statement.test)
        and isinstance(statement.body[-1], ast.Return | ast.Continue)
    )


def _is_false_at_replay(test: ast.expr) -> bool:
    match test:
        case ast.UnaryOp(op=ast.Not()):
            return _is_replaying(test.operand)
        case ast.BoolOp(op=ast.And()):
            return any(_is_false_at_replay(value) for value in test.values)
        case _:
            return False


def _is_replaying(test: ast.expr) -> bool:
    return isinstance(test, ast.Attribute) and test.attr == "is_replaying"


def _asks(test: ast.expr) -> bool:
    return any(isinstance(node, ast.expr) and _is_replaying(node) for node in ast.walk(test))
