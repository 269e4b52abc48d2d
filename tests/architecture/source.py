"""Source files as syntax trees: what a module is called, what it imports, and what a dotted expression really names."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "durable_ext"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file. `name` is dotted from the repository's root; `place` is for messages."""

    name: str
    text: str
    tree: ast.Module
    is_package: bool = False

    @property
    def place(self) -> str:
        return self.name.replace(".", "/") + ("/__init__.py" if self.is_package else ".py")

    def at(self, node: ast.AST) -> str:
        return f"{self.place}:{getattr(node, 'lineno', 1)}"

    def line(self, number: int) -> str:
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


def module(name: str, text: str, *, is_package: bool = False) -> Module:
    return Module(name=name, text=text, tree=ast.parse(text), is_package=is_package)


@cache
def modules(folder: str) -> tuple[Module, ...]:
    """The modules under a folder of the repository, or the one module of that name."""
    start = ROOT / folder
    files = [start] if start.suffix == ".py" else sorted(start.rglob("*.py"))
    return tuple(
        _read(file) for file in files if file.is_file() and not {"node_modules", "__pycache__"} & set(file.parts)
    )


def _read(file: Path) -> Module:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return module(name, file.read_text(encoding="utf-8"), is_package=is_package)


def product() -> tuple[Module, ...]:
    """What users run or read: the package, the app at the root and the examples."""
    return modules(PACKAGE) + modules("function_app.py") + modules("examples")


def tracked_files() -> list[Path]:
    """The files git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@dataclass(frozen=True)
class Import:
    """One imported name: the module it comes from, and what of it (empty: the module itself)."""

    target: str
    name: str
    alias: str
    node: ast.AST

    @property
    def full(self) -> str:
        return f"{self.target}.{self.name}" if self.name else self.target


def imports(source: Module) -> Iterator[Import]:
    """Every import of the module: at the top, in functions, for types only, and through importlib."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                yield Import(item.name, "", item.asname or item.name.partition(".")[0], node)
        elif isinstance(node, ast.ImportFrom):
            target = _absolute(source, node)
            for item in node.names:
                yield Import(target, item.name, item.asname or item.name, node)
        elif isinstance(node, ast.Call) and _is_import_call(node):
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield Import(argument.value, "", "", node)


def _absolute(source: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.name.split(".")
    kept = parts[: len(parts) - node.level + (1 if source.is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _is_import_call(node: ast.Call) -> bool:
    called = dotted(node.func).rpartition(".")[2]
    return called in {"import_module", "__import__"} and bool(node.args)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of attributes; starts with `?` when it does not start with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def aliases(source: Module) -> dict[str, str]:
    """What the module's names stand for: `{"dt": "datetime"}` after `import datetime as dt`."""
    known: dict[str, str] = {}
    for found in imports(source):
        if not found.alias:
            continue
        plain = isinstance(found.node, ast.Import) and found.alias == found.target.partition(".")[0]
        known[found.alias] = found.alias if plain else found.full
    return known


def real_name(node: ast.expr, known: dict[str, str]) -> str:
    """The dotted expression with its first name replaced by what it stands for."""
    first, dot, rest = dotted(node).partition(".")
    return f"{known.get(first, first)}{dot}{rest}"


def functions(source: Module) -> Iterator[tuple[str, Function]]:
    """Every function and method with its qualified name."""

    def visit(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{child.name}", child
                yield from visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, f"{prefix}{child.name}.")
            else:
                yield from visit(child, prefix)

    yield from visit(source.tree, "")


def docstring(node: ast.Module | ast.ClassDef | Function) -> ast.Expr | None:
    """The statement that is the node's docstring."""
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None
