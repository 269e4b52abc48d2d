"""A source file: its tree, and the comments that suppress findings on their line. Reads text, runs nothing."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

_COMMENT = re.compile(r"#\s*durable:\s*ignore\b(\[[^\]]*\])?")


@dataclass(frozen=True)
class Suppression:
    """The codes that a comment suppresses on its line. `column` counts from 0."""

    line: int
    column: int
    text: str
    codes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A parsed file. `shown` is its path as people read it; `parents` leads from a node to the one it stands in."""

    path: Path
    shown: str
    tree: ast.Module
    suppressions: tuple[Suppression, ...] = ()
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict[ast.AST, ast.AST])


class BrokenFileError(Exception):
    """A file that cannot be checked, and why."""

    def __init__(self, code: str, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(reason)
        self.code = code
        self.line = line
        self.column = column


def read(path: Path, shown: str) -> SourceFile:
    """Read and parse a file. Raises BrokenFileError."""
    try:
        with path.open("rb") as stream:
            data = stream.read()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise BrokenFileError("DX002", str(error)) from error
    return parse(text, path, shown)


def parse(text: str, path: Path, shown: str) -> SourceFile:
    """Parse a text. Raises BrokenFileError."""
    try:
        with warnings.catch_warnings():
            # What the compiler warns of in a user's file is not this check's concern.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise BrokenFileError("DX001", error.msg, max(error.lineno or 1, 1), max(error.offset or 1, 1)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BrokenFileError("DX002", str(error)) from error
    try:
        suppressions = _suppressions(text) if "durable:" in text else ()
    except (tokenize.TokenError, SyntaxError) as error:
        raise BrokenFileError("DX002", str(error)) from error
    return SourceFile(path, shown, tree, suppressions, _parents(tree))


def _parents(tree: ast.Module) -> dict[ast.AST, ast.AST]:
    """Every node below the tree with the one it stands in. Operators and contexts, which are shared, are left out."""
    parents: dict[ast.AST, ast.AST] = {}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if child._fields:
                parents[child] = node
                waiting.append(child)
    return parents


def _suppressions(text: str) -> tuple[Suppression, ...]:
    found: list[Suppression] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        match = _COMMENT.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            codes = tuple(code for part in (match[1] or "[]")[1:-1].split(",") if (code := part.strip()))
            found.append(Suppression(token.start[0], token.start[1] + match.start(), match[0], codes))
    return tuple(found)
