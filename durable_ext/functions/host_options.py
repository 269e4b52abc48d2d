"""What host.json says that concerns us too: options of the host's extensions, and the versions of Durable Functions.

A setting of an option's own overrides the file, as it does for the host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from durable_ext.errors import ConfigurationError
from durable_ext.records.versions import VersionFailure, VersionMatch

_T = TypeVar("_T")
_SETTING = "AzureFunctionsJobHost__extensions__"
_ROUTE_PREFIX = "http__routePrefix"
_MOST_ATTEMPTS = "queues__maxDequeueCount"
_DEFAULT_VERSION = "durableTask__defaultVersion"
_VERSION_MATCH = "durableTask__versionMatchStrategy"
_VERSION_FAILURE = "durableTask__versionFailureStrategy"
_MATCHES = {"none": VersionMatch.NONE, "strict": VersionMatch.STRICT, "currentorolder": VersionMatch.CURRENT_OR_OLDER}
# Their Reject is what happens here unless told otherwise; ours keeps what is not registered as well.
_FAILURES = {"reject": None, "fail": VersionFailure.FAIL}


class HostVersions(NamedTuple):
    """`defaultVersion`, and the two strategies where they are told."""

    default: str | None
    match: VersionMatch | None
    failure: VersionFailure | None


def route_prefix(environ: Mapping[str, str], app_folder: Path) -> str:
    """What stands before every route of the app, without slashes around it."""
    chosen = _option(environ, app_folder, _ROUTE_PREFIX)
    return "api" if chosen is None else chosen.strip("/")


def most_attempts(environ: Mapping[str, str], app_folder: Path) -> int:
    """How often the host tries a message. What is wrong here is the host's to refuse; we only tell people."""
    chosen = _option(environ, app_folder, _MOST_ATTEMPTS) or ""
    return max(1, int(chosen)) if chosen.isascii() and chosen.isdigit() else 5


def host_versions(environ: Mapping[str, str], app_folder: Path) -> HostVersions:
    """The versions as the documentation of Durable Functions has them set. Raises ConfigurationError."""
    default = _option(environ, app_folder, _DEFAULT_VERSION) or None
    match, failure = _option(environ, app_folder, _VERSION_MATCH), _option(environ, app_folder, _VERSION_FAILURE)
    return HostVersions(
        default,
        None if not match else _known(_VERSION_MATCH, match, _MATCHES),
        None if not failure else _known(_VERSION_FAILURE, failure, _FAILURES),
    )


def keep_in(environ: MutableMapping[str, str], app_folder: Path) -> None:
    """Make settings of what host.json says: the app reads its settings without knowing where that file is."""
    environ.setdefault(_SETTING + _ROUTE_PREFIX, route_prefix(environ, app_folder))
    for option in (_DEFAULT_VERSION, _VERSION_MATCH, _VERSION_FAILURE):
        found = _option(environ, app_folder, option)
        if found:
            environ[_SETTING + option] = found


def _option(environ: Mapping[str, str], app_folder: Path, option: str) -> str | None:
    name = option.rpartition("__")[2]
    chosen = environ.get(_SETTING + option)
    file = app_folder / "host.json"
    if chosen is not None or not file.is_file():
        return chosen
    # A pattern, because the host accepts comments in that file and a JSON parser does not.
    found = re.search(rf'"{name}"\s*:\s*"?([^",}}]*)', file.read_text(encoding="utf-8"))
    return found[1].strip() if found else None


def _known(option: str, text: str, known: Mapping[str, _T]) -> _T:
    if text.lower() not in known:
        name = option.rpartition("__")[2]
        raise ConfigurationError(f"{name} of host.json is {text!r}; it takes one of {', '.join(known)}, in any case")
    return known[text.lower()]
