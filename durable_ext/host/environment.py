"""The app's folder as the Functions tools see it: local.settings.json and host.json become environment variables.

A variable that is set already wins. Nothing here starts or opens anything.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path

import msgspec

from durable_ext.errors import ConfigurationError
from durable_ext.functions import host_options

DEFAULT_PORT = 7071
FOLDER = ".durable"


class LocalSettings(msgspec.Struct, frozen=True):
    """What local.settings.json says: `values` for the environment, the port, and the origins whose pages may call."""

    values: dict[str, str] = {}
    port: int | None = None
    origins: str = ""


class _Host(msgspec.Struct, rename="pascal"):
    local_http_port: int | None = None
    cors: str | None = msgspec.field(default=None, name="CORS")


class _File(msgspec.Struct, rename="pascal"):
    is_encrypted: bool = False
    values: dict[str, str | int | float | bool] | None = None
    host: _Host | None = None


def read_local_settings(folder: Path) -> LocalSettings:
    """local.settings.json of the folder; empty when there is none. Raises ConfigurationError."""
    path = folder / "local.settings.json"
    if not path.is_file():
        return LocalSettings()
    try:
        content = msgspec.json.decode(path.read_text(encoding="utf-8-sig"), type=_File)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if content.is_encrypted:
        raise ConfigurationError(f"{path} is encrypted; decrypt it with: func settings decrypt")
    values = {name: _text(value) for name, value in (content.values or {}).items()}
    told = content.host or _Host()
    return LocalSettings(values, told.local_http_port, told.cors or "")


def apply(settings: LocalSettings, folder: Path, environ: MutableMapping[str, str]) -> None:
    """Lay local.settings.json and host.json of the folder under the environment. Raises ConfigurationError."""
    for name, value in settings.values.items():
        environ.setdefault(name, value)
    if settings.origins:
        environ.setdefault("DURABLE_HTTP_ORIGINS", settings.origins)
    host_options.keep_in(environ, folder)


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)
