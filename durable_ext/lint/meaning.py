"""What an expression stands for: something outside the linted files by its full name, a function or class in them, or
an instance of one of these. Aliases, imports and plain assignments are followed; nothing is executed."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from durable_ext.lint.project import Project
from durable_ext.lint.scopes import Assigned, Binding, Defined, Imported, Scope

_DEEPEST = 12
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Outside:
    """Something that is in no linted file: `datetime.datetime.now`, `builtins.open`, `requests.Session.get`. What hangs
    on an instance is named by its class."""

    name: str
    is_instance: bool = False


@dataclass(frozen=True)
class Module:
    """A linted file."""

    scope: Scope


@dataclass(frozen=True)
class Known:
    """A function or class of a linted file."""

    definition: Defined


@dataclass(frozen=True)
class Instance:
    """An instance of a class of a linted file."""

    definition: Defined


Meaning = Outside | Module | Known | Instance


class Resolver:
    """Looks up expressions in the linted files."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def meaning(self, node: ast.expr, scope: Scope, depth: int = 0) -> Meaning | None:
        """What an expression in a scope stands for; None when that cannot be told."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Name():
                return self._name(node.id, scope, depth)
            case ast.Attribute():
                return self._attribute(self.meaning(node.value, scope, depth + 1), node.attr, depth)
            case ast.Call():
                return self._called(self.meaning(node.func, scope, depth + 1), depth)
            case ast.Await() | ast.NamedExpr():
                return self.meaning(node.value, scope, depth + 1)
            case ast.BinOp(op=ast.Div()):
                left = self.meaning(node.left, scope, depth + 1)
                return left if isinstance(left, Outside) and left.is_instance else None
            case _:
                return None

    def outside(self, node: ast.expr, scope: Scope) -> str:
        """The full name of something outside; empty for all else."""
        found = self.meaning(node, scope)
        return found.name if isinstance(found, Outside) else ""

    def annotated(self, annotation: ast.expr | None, scope: Scope, depth: int = 0) -> Meaning | None:
        """What an annotation says that a value is an instance of."""
        match annotation:
            case ast.Constant(value=str(text)):
                return self.annotated(_parsed(text), scope, depth + 1)
            case ast.BinOp(op=ast.BitOr()):
                return self.annotated(annotation.left, scope, depth + 1) or self.annotated(
                    annotation.right, scope, depth + 1
                )
            case ast.Subscript(value=ast.Name(id="Optional") | ast.Attribute(attr="Optional")):
                return self.annotated(annotation.slice, scope, depth + 1)
            case ast.Name() | ast.Attribute():
                return _instance_of(self.meaning(annotation, scope, depth + 1))
            case _:
                return None

    def _name(self, name: str, scope: Scope, depth: int) -> Meaning | None:
        owner = scope.owner(name)
        if owner is None:
            return Outside(f"builtins.{name}") if name in _BUILTINS else None
        if name == owner.receiver and owner.parent is not None and isinstance(owner.parent.node, ast.ClassDef):
            return Instance(Defined(owner.parent.node, owner.parent))
        return self._bound(owner.names.get(name, []), owner, depth)

    def _bound(self, bindings: list[Binding], scope: Scope, depth: int) -> Meaning | None:
        found = [self._binding(binding, scope, depth) for binding in bindings]
        if any(not isinstance(binding, Assigned) for binding in bindings):
            return next((meaning for meaning in found if meaning is not None), None)
        return found[0] if found and all(meaning == found[0] for meaning in found) else None

    def _binding(self, binding: Binding, scope: Scope, depth: int) -> Meaning | None:
        match binding:
            case Defined():
                return Known(binding)
            case Imported():
                return self._imported(binding, scope, depth)
            case Assigned():
                said = self.annotated(binding.annotation, scope, depth + 1)
                if said is not None or binding.value is None:
                    return said
                return self.meaning(binding.value, scope, depth + 1)

    def _imported(self, binding: Imported, scope: Scope, depth: int) -> Meaning | None:
        module = self._project.find(binding.module, scope.file)
        if not binding.name:
            return Outside(binding.module) if module is None else Module(module)
        if module is not None:
            return self._attribute(Module(module), binding.name, depth + 1)
        dots = binding.module.endswith(".")
        inner = self._project.find(f"{binding.module}{'' if dots else '.'}{binding.name}", scope.file)
        return Outside(f"{binding.module}.{binding.name}") if inner is None else Module(inner)

    def _attribute(self, base: Meaning | None, name: str, depth: int) -> Meaning | None:
        if depth > _DEEPEST:
            return None
        match base:
            case Outside():
                return Outside(f"{base.name}.{name}", base.is_instance)
            case Module():
                if name in base.scope.names:
                    return self._bound(base.scope.names[name], base.scope, depth + 1)
                inner = self._project.submodule(base.scope.file, name)
                return None if inner is None else Module(inner)
            case Known(definition) | Instance(definition) if definition.scope.is_class:
                return self._member(definition, name, depth)
            case _:
                return None

    def _member(self, definition: Defined, name: str, depth: int) -> Meaning | None:
        if name in definition.scope.names:
            return self._bound(definition.scope.names[name], definition.scope, depth + 1)
        outer = definition.scope.parent
        for base in definition.node.bases if isinstance(definition.node, ast.ClassDef) else []:
            found = None if outer is None else self.meaning(base, outer, depth + 1)
            member = self._attribute(found, name, depth + 1) if isinstance(found, Known) else None
            if member is not None:
                return member
        return None

    def _called(self, called: Meaning | None, depth: int) -> Meaning | None:
        match called:
            case Outside():
                return Outside(called.name, is_instance=True)
            case Known(definition) if definition.scope.is_class:
                return Instance(definition)
            case Known(Defined(node=ast.FunctionDef() | ast.AsyncFunctionDef() as node, scope=scope)):
                return self.annotated(node.returns, scope.parent or scope, depth + 1)
            case _:
                return None


def _instance_of(found: Meaning | None) -> Meaning | None:
    match found:
        case Outside() if not found.name.startswith("builtins."):
            return Outside(found.name, is_instance=True)
        case Known(definition) if definition.scope.is_class:
            return Instance(definition)
        case _:
            return None


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None
