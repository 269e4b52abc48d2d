"""Which files are meant by paths on the command line: virtual environments, caches and hidden folders are left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from durable_ext.errors import InvalidInputError

_LEFT_OUT = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


def python_files(paths: Iterable[Path]) -> list[Path]:
    """The Python files of files and folders, each once, in order. Raises InvalidInputError for a path not there."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update((file.resolve(), None) for file in _walk(path))
        elif path.is_file():
            found[path.resolve()] = None
        else:
            raise InvalidInputError(f"there is no file or folder {str(path)!r}")
    return sorted(found)


def shown(path: Path, folder: Path) -> str:
    """The path as people read it: relative to a folder when it lies in it."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not _is_left_out(here / name))
        yield from (here / name for name in names if name.endswith(".py"))


def _is_left_out(folder: Path) -> bool:
    return folder.name in _LEFT_OUT or folder.name.startswith(".") or (folder / "pyvenv.cfg").is_file()
