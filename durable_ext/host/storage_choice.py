"""Which storage a command means: what the command line says, else the settings, else one SQLite file of the app.

The choice ends up in the settings that the app itself reads, so that host, CLI and app cannot disagree.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

import msgspec

from durable_ext.errors import ConfigurationError
from durable_ext.functions.settings import AppSettings, read_settings
from durable_ext.host.environment import FOLDER, LocalSettings, apply, read_local_settings
from durable_ext.providers.azure_storage.names import POISON_SUFFIX, HubNames
from durable_ext.records.ids import check_tag

_STORAGE = "DURABLE_STORAGE"
_IN_MEMORY = ":memory:"


class StorageOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says; None: nothing. `app_file` is the app's file, whose folder holds the settings."""

    app_file: Path
    storage: str | None = None
    hub: str | None = None
    partitions: int | None = None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """`settings` as the app reads them too; `azurite`: where the emulator keeps its data, None without it."""

    app_file: Path
    local: LocalSettings
    settings: AppSettings
    azurite: Path | None = None

    @property
    def file(self) -> Path | None:
        """The SQLite file, None when there is none."""
        name = self.settings.sqlite_file
        return None if name in (None, _IN_MEMORY) else Path(name)

    @property
    def queues(self) -> frozenset[str]:
        """The queues that the host itself feeds from, and those that Functions would keep poison in."""
        if self.settings.sqlite_file is not None:
            return frozenset()
        names = HubNames(self.settings.hub, self.settings.partitions)
        work = [names.work_of(check_tag(tag)) for tag in self.settings.worker.work_tags]
        return frozenset(name + suffix for name in (*names.control, *work) for suffix in ("", POISON_SUFFIX))

    def __str__(self) -> str:
        if self.azurite is not None:
            return f"Azurite, data in {self.azurite}, hub {self.settings.hub}"
        if self.settings.sqlite_file is not None:
            return f"SQLite, {self.settings.sqlite_file}"
        return f"Azure Storage, connection {self.settings.connection}, hub {self.settings.hub}"


def choose(options: StorageOptions, environ: MutableMapping[str, str]) -> Chosen:
    """Settle the settings and write them into the environment. Raises ConfigurationError."""
    folder = options.app_file.parent
    local = read_local_settings(folder)
    given = {**local.values, **environ}
    if options.storage is not None:
        storage = _storage(options.storage, folder, Path.cwd())
    else:
        storage = _storage(given.get(_STORAGE, "").strip() or "sqlite", folder, folder)
    azurite = folder / FOLDER / "azurite" if storage == "azurite" else None
    environ[_STORAGE] = "azure" if azurite else storage
    if options.hub is not None:
        environ["DURABLE_HUB"] = options.hub
    if options.partitions is not None:
        environ["DURABLE_PARTITIONS"] = str(options.partitions)
    apply(local, folder, environ)
    return Chosen(app_file=options.app_file, local=local, settings=read_settings(environ, folder), azurite=azurite)


def _storage(text: str, folder: Path, start: Path) -> str:
    """`azure`, `azurite`, or `sqlite:` with an absolute file. A relative file counts from `start`."""
    kind, _, file = text.partition(":")
    match kind.lower():
        case "azure" | "azurite" if not file:
            return kind.lower()
        case "sqlite" if file == _IN_MEMORY:
            return text
        case "sqlite":
            path = start / file if file else folder / FOLDER / "hub.sqlite"
            return f"sqlite:{path}"
        case _:
            raise ConfigurationError(f"the storage {text!r} is none of sqlite, sqlite:FILE, azurite, azure")
