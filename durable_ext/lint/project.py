"""The linted files together: which of them an import means. Folders are searched as Python would: beside the top-level
package or module that imports, and in `src` there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from durable_ext.lint.scopes import Scope, Scopes
from durable_ext.lint.source import SourceFile

_PACKAGE = "__init__.py"


class Project:
    """All files of one run."""

    def __init__(self, files: Iterable[Scopes]) -> None:
        self.files: dict[Path, Scopes] = {scopes.module.file.path: scopes for scopes in files}
        self._found: dict[tuple[Path, str], Scope | None] = {}

    def find(self, module: str, importer: SourceFile) -> Scope | None:
        """The linted file that an import in another file means; None when it is not linted."""
        key = importer.path.parent, module
        if key not in self._found:
            candidates = (self._at(folder, parts) for folder, parts in _places(module, importer.path))
            self._found[key] = next((scope for scope in candidates if scope is not None), None)
        return self._found[key]

    def submodule(self, package: SourceFile, name: str) -> Scope | None:
        """The linted module of that name in a package."""
        return self._at(package.path.parent, [name]) if package.path.name == _PACKAGE else None

    def _at(self, folder: Path, parts: list[str]) -> Scope | None:
        path = folder.joinpath(*parts)
        found = self.files.get(path / _PACKAGE) or (
            self.files.get(path.with_name(path.name + ".py")) if parts else None
        )
        return None if found is None else found.module


def _places(module: str, importer: Path) -> Iterator[tuple[Path, list[str]]]:
    plain = module.lstrip(".")
    parts = plain.split(".") if plain else []
    level = len(module) - len(plain)
    if level:
        yield importer.parents[min(level, len(importer.parents)) - 1], parts
        return
    for folder in importer.parents:
        if not (folder / _PACKAGE).is_file():
            yield folder, parts
            yield folder / "src", parts
