"""The app's settings: read once from the environment, checked, and turned into values.

`SETTINGS` names every one with its default and meaning; docs/settings.md shows the same table, and a test compares
them. A wrong setting is a ConfigurationError that names it, raised when the app is indexed, not at the first message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TypeVar

import msgspec

from durable_ext.errors import ConfigurationError, InvalidInputError
from durable_ext.functions.host_options import host_versions, most_attempts, route_prefix
from durable_ext.functions.http_settings import HttpSettings, read_http
from durable_ext.functions.lifecycle_settings import LifecycleSettings, read_lifecycle, whole_number
from durable_ext.records.ids import DEFAULT_TAG, check_tag
from durable_ext.records.limits import DEFAULT_PARTITIONS, MAX_PARTITIONS
from durable_ext.records.versions import VersionFailure, VersionMatch
from durable_ext.worker.settings import WorkerSettings

_Choice = TypeVar("_Choice", bound=Enum)
# A day; or for ever.
_STALL_LIMITS = range(24 * 3600 + 1)
AUTH_LEVELS = ("function", "admin", "anonymous")
LOCAL_ORIGIN = "http://localhost:7071"

# A hub names tables, queues and a container; letters and digits are what all three take.
_HUB = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")
_DEFAULT_HUB = "DurableHub"
_POLLS = range(1, 3601)  # seconds


class Setting(msgspec.Struct, frozen=True):
    """One setting: its name, its default in words, and what it means."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting("DURABLE_STORAGE", "`azure`", "Where state is kept: `azure`, or `sqlite:FILE` when self-hosted"),
    Setting("DURABLE_CONNECTION", "`AzureWebJobsStorage`", "Name of the setting that holds the storage connection"),
    Setting("DURABLE_HUB", "the site's name, else `DurableHub`", "Name of the task hub: 3 to 45 letters and digits"),
    Setting("DURABLE_PARTITIONS", f"`{DEFAULT_PARTITIONS}`", "Control queues of the hub, 1 to 16; fixed for its life"),
    Setting("DURABLE_ACTIVITY_SLOTS", "10 for each processor", "Activities that run at once in a process"),
    Setting(
        "DURABLE_ACTIVITY_PROCESSES", "1 for each processor", 'Child processes of activities with run_in="process"'
    ),
    Setting("DURABLE_WORK_TAGS", "`default`", "Tags of the activities that run here, by commas; see below"),
    Setting("DURABLE_LEAVE_UNKNOWN", "`0`", "Seconds that an activity which is not registered here is left for others"),
    Setting("DURABLE_SESSION_BUDGET", "`300`", "Seconds for which a session goes on taking work; see below"),
    Setting("DURABLE_HEARTBEAT", "`15`", "Seconds between signs of life of a process that holds messages; see below"),
    Setting(
        "DURABLE_STALL_LIMIT",
        "`120`",
        "Seconds for which code may block the event loop before its process is ended; `0` only reports; see below",
    ),
    Setting("DURABLE_VERSION", "the app's `default_version`", "Version of this worker's code: [versions](versions.md)"),
    Setting(
        "DURABLE_VERSION_MATCH",
        "`current-or-older` with `DURABLE_VERSION`, else `none`",
        "Versions that are taken here: all (`none`), `strict`, `current-or-older`",
    ),
    Setting(
        "DURABLE_VERSION_FAILURE",
        "other versions wait, what is not registered fails",
        "What is not taken here waits (`reject`) or fails (`fail`)",
    ),
    Setting(
        "DURABLE_TELEMETRY",
        "`off`",
        "What OpenTelemetry is told: nothing, `traces`, `metrics`, or both (`on`): [telemetry](telemetry.md)",
    ),
    Setting("DURABLE_LIFECYCLE_EVENTS", "all four", "Which [life-cycle events](lifecycle-events.md) are published"),
    Setting(
        "DURABLE_LIFECYCLE_RETRIES", "`0`", "How often a life-cycle event that could not be published is tried again"
    ),
    Setting("DURABLE_LIFECYCLE_RETRY_INTERVAL", "`300`", "Seconds before each such attempt"),
    Setting("DURABLE_EVENT_GRID_ENDPOINT", "none", "Address of the Event Grid topic that gets life-cycle events"),
    Setting("DURABLE_EVENT_GRID_KEY_SETTING", "the app's identity", "Name of the setting that holds the topic's key"),
    Setting(
        "DURABLE_EVENT_GRID_RETRY_STATUS", "`408,429,500,502,503,504`", "Answers of the topic that are worth a retry"
    ),
    Setting(
        "DURABLE_POLL_INTERVAL", "`1`", "Most seconds between two looks of `durable host` at a queue of Azure Storage"
    ),
    Setting(
        "DURABLE_IDLE_POLL_INTERVAL", "a second for each queue", "The same once the hub has been idle for two minutes"
    ),
    Setting("DURABLE_HTTP_AUTH_LEVEL", "`function`", "Who may call the management API: a level of the Functions host"),
    Setting("DURABLE_HTTP_HOSTS", "none", "More names by which `durable host` may be called, by commas; `*`: any"),
    Setting("DURABLE_HTTP_ORIGINS", "none", "Origins whose pages may call `durable host`, by commas; `*`: any"),
    Setting("DURABLE_HTTP_BODY_MB", "`100`", "Largest body of a request"),
    Setting("DURABLE_HTTP_BODY_SECONDS", "`120`", "How long a body may take to arrive"),
    Setting("DURABLE_HTTP_IN_FLIGHT_MB", "`256`", "Bodies and answers that are under way at a time; see below"),
    Setting("DURABLE_HTTP_PAGE_MB", "`16`", "Length at which a list or a history goes on in another page"),
    Setting("DURABLE_BASE_URL", "from the request", "Address of the app, as its callers see it, for management links"),
)


class Told(Enum):
    """What OpenTelemetry is told."""

    OFF = "off"
    TRACES = "traces"
    METRICS = "metrics"
    ON = "on"


class AppSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings as values. `sqlite_file` None means Azure Storage. `base_url` has no slash at its end.

    `max_attempts` is the host's: how often it tries a message before it puts it into the poison queue.
    `poll_interval` and `idle_poll_interval` are for `durable host`: how long a queue may go without a look.
    `default_version` is `defaultVersion` of host.json, for an app whose code says none.
    """

    hub: str
    partitions: int = DEFAULT_PARTITIONS
    connection: str = "AzureWebJobsStorage"
    sqlite_file: str | None = None
    auth_level: str = "function"
    base_url: str = LOCAL_ORIGIN
    route_prefix: str = "api"
    max_attempts: int = 5
    default_version: str | None = None
    telemetry: Told = Told.OFF
    lifecycle: LifecycleSettings = LifecycleSettings()
    poll_interval: timedelta = timedelta(seconds=1)
    idle_poll_interval: timedelta | None = None
    http: HttpSettings = HttpSettings()
    worker: WorkerSettings = msgspec.field(default_factory=WorkerSettings)


def read_settings(environ: Mapping[str, str], app_folder: Path | None = None) -> AppSettings:
    """The settings of an environment. Raises ConfigurationError that names the setting which is wrong."""
    text = {name: value.strip() for name, value in environ.items() if value.strip()}
    folder = app_folder or Path.cwd()
    budget = whole_number(text, "DURABLE_SESSION_BUDGET", 300, range(1, 24 * 3600 + 1))
    slots = whole_number(text, "DURABLE_ACTIVITY_SLOTS", WorkerSettings().activity_slots, range(1, 10_001))
    processes = whole_number(text, "DURABLE_ACTIVITY_PROCESSES", WorkerSettings().activity_processes, range(1, 1_001))
    version, told = text.get("DURABLE_VERSION"), host_versions(environ, folder)
    attempts = most_attempts(environ, folder)
    beat = whole_number(text, "DURABLE_HEARTBEAT", 15, range(1, 301))
    return AppSettings(
        hub=hub_name(text),
        partitions=whole_number(text, "DURABLE_PARTITIONS", DEFAULT_PARTITIONS, range(1, MAX_PARTITIONS + 1)),
        connection=text.get("DURABLE_CONNECTION", "AzureWebJobsStorage"),
        sqlite_file=_sqlite_file(text.get("DURABLE_STORAGE", "azure")),
        auth_level=_auth_level(text.get("DURABLE_HTTP_AUTH_LEVEL", "function")),
        base_url=_base_url(text),
        route_prefix=route_prefix(environ, folder),
        max_attempts=attempts,
        default_version=told.default,
        lifecycle=read_lifecycle(text),
        http=read_http(text),
        telemetry=_choice(text, "DURABLE_TELEMETRY", Told) or Told.OFF,
        poll_interval=timedelta(seconds=whole_number(text, "DURABLE_POLL_INTERVAL", 1, _POLLS)),
        idle_poll_interval=_idle_interval(text),
        worker=WorkerSettings(
            activity_slots=slots,
            activity_processes=processes,
            session_budget=timedelta(seconds=budget),
            heartbeat=timedelta(seconds=beat),
            most_attempts=attempts,
            leave_unknown=timedelta(seconds=whole_number(text, "DURABLE_LEAVE_UNKNOWN", 0, range(24 * 3600 + 1))),
            stall_limit=timedelta(seconds=whole_number(text, "DURABLE_STALL_LIMIT", 120, _STALL_LIMITS)),
            work_tags=_work_tags(text.get("DURABLE_WORK_TAGS", DEFAULT_TAG)),
            version=version,
            version_match=_choice(text, "DURABLE_VERSION_MATCH", VersionMatch)
            or told.match
            or _usual_match(version or told.default),
            version_failure=_choice(text, "DURABLE_VERSION_FAILURE", VersionFailure) or told.failure,
        ),
    )


def _idle_interval(environ: Mapping[str, str]) -> timedelta | None:
    seconds = whole_number(environ, "DURABLE_IDLE_POLL_INTERVAL", 0, range(_POLLS.stop))
    return timedelta(seconds=seconds) if seconds else None


def hub_name(environ: Mapping[str, str]) -> str:
    """The hub that DURABLE_HUB names, else one made of the site's name as Durable Functions makes it."""
    chosen = environ.get("DURABLE_HUB")
    if chosen is None:
        return _hub_of_site(environ.get("WEBSITE_SITE_NAME", ""))
    if not _HUB.fullmatch(chosen):
        raise ConfigurationError(
            f"DURABLE_HUB is {chosen!r}; a hub name is 3 to 45 letters and digits and starts with a letter"
        )
    return chosen


def _hub_of_site(site: str) -> str:
    kept = re.sub(r"[^A-Za-z0-9]", "", site)
    if not kept:
        return _DEFAULT_HUB
    if kept[0].isdigit():
        kept = "t" + kept
    if len(kept) < 3:
        kept += "Hub"
    return kept[:45]


def _choice(environ: Mapping[str, str], name: str, choices: type[_Choice]) -> _Choice | None:
    text = environ.get(name)
    if text is None:
        return None
    known = {choice.value: choice for choice in choices}
    if text.lower() not in known:
        raise ConfigurationError(f"{name} is {text!r}; it takes {', '.join(known)}")
    return known[text.lower()]


def _usual_match(version: str | None) -> VersionMatch:
    return VersionMatch.NONE if version is None else VersionMatch.CURRENT_OR_OLDER


def _sqlite_file(storage: str) -> str | None:
    if storage.lower() == "azure":
        return None
    kind, colon, file = storage.partition(":")
    if kind.lower() == "sqlite" and colon and file:
        return file
    raise ConfigurationError(f"DURABLE_STORAGE is {storage!r}; it takes azure, or sqlite: and the name of a file")


def _work_tags(text: str) -> tuple[str, ...]:
    if text.lower() == "none":
        return ()
    tags = tuple(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip().lower())))
    try:
        for tag in tags:
            check_tag(tag)
    except InvalidInputError as error:
        raise ConfigurationError(f"DURABLE_WORK_TAGS is {text!r}: {error}; or `none` for no activities here") from error
    return tags


def _auth_level(level: str) -> str:
    if level.lower() not in AUTH_LEVELS:
        raise ConfigurationError(f"DURABLE_HTTP_AUTH_LEVEL is {level!r}; it takes {', '.join(AUTH_LEVELS)}")
    return level.lower()


def _base_url(environ: Mapping[str, str]) -> str:
    chosen = environ.get("DURABLE_BASE_URL")
    if chosen is not None:
        if not chosen.lower().startswith(("http://", "https://")):
            raise ConfigurationError(f"DURABLE_BASE_URL is {chosen!r}; it starts with http:// or https://")
        return chosen.rstrip("/")
    site = environ.get("WEBSITE_HOSTNAME", "")
    if not site or site.startswith("0.0.0.0"):  # noqa: S104 - a host that listens everywhere has no name
        return LOCAL_ORIGIN
    scheme = "http" if site.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{site}"
