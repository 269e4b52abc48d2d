"""Settings: defaults, what is refused and under which name, and that docs/settings.md tells the same."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_ext import DurableApp, StartOptions
from durable_ext.errors import ConfigurationError
from durable_ext.functions.settings import SETTINGS, read_settings
from durable_ext.records.versions import VersionFailure, VersionMatch

from .attached import attached

DOCS = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
EMPTY = Path(__file__).resolve().parent


def test_defaults() -> None:
    settings = read_settings({}, EMPTY)
    assert (settings.hub, settings.partitions, settings.connection) == ("DurableHub", 4, "AzureWebJobsStorage")
    assert settings.sqlite_file is None
    assert settings.auth_level == "function"
    assert settings.worker.session_budget == timedelta(minutes=5)
    assert settings.worker.activity_slots == 10 * (os.cpu_count() or 1)
    assert (settings.base_url, settings.route_prefix) == ("http://localhost:7071", "api")


def test_every_setting_is_read() -> None:
    settings = read_settings(
        {
            "DURABLE_STORAGE": "sqlite:/data/hub.db",
            "DURABLE_CONNECTION": "Orders",
            "DURABLE_HUB": "Orders2",
            "DURABLE_PARTITIONS": "16",
            "DURABLE_ACTIVITY_SLOTS": "3",
            "DURABLE_SESSION_BUDGET": " 60 ",
            "DURABLE_HTTP_AUTH_LEVEL": "Anonymous",
            "DURABLE_BASE_URL": "https://orders.example/",
        },
        EMPTY,
    )
    assert (settings.sqlite_file, settings.connection, settings.hub) == ("/data/hub.db", "Orders", "Orders2")
    assert (settings.partitions, settings.worker.activity_slots) == (16, 3)
    assert settings.worker.session_budget == timedelta(minutes=1)
    assert (settings.auth_level, settings.base_url) == ("anonymous", "https://orders.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DURABLE_STORAGE", "redis"),
        ("DURABLE_STORAGE", "sqlite:"),
        ("DURABLE_HUB", "my-hub"),
        ("DURABLE_HUB", "1hub"),
        ("DURABLE_HUB", "h" * 46),
        ("DURABLE_PARTITIONS", "0"),
        ("DURABLE_PARTITIONS", "17"),
        ("DURABLE_PARTITIONS", "four"),
        ("DURABLE_ACTIVITY_SLOTS", "-1"),
        ("DURABLE_ACTIVITY_SLOTS", "²"),
        ("DURABLE_SESSION_BUDGET", "0"),
        ("DURABLE_POLL_INTERVAL", "0"),
        ("DURABLE_IDLE_POLL_INTERVAL", "3601"),
        ("DURABLE_SESSION_BUDGET", "1.5"),
        ("DURABLE_HTTP_AUTH_LEVEL", "everybody"),
        ("DURABLE_WORK_TAGS", "gpu,a b"),
        ("DURABLE_LEAVE_UNKNOWN", "-1"),
        ("DURABLE_LEAVE_UNKNOWN", "86401"),
        ("DURABLE_BASE_URL", "orders.example"),
        ("DURABLE_HTTP_BODY_MB", "0"),
        ("DURABLE_HTTP_BODY_SECONDS", "soon"),
        ("DURABLE_HTTP_IN_FLIGHT_MB", "99"),
        ("DURABLE_HTTP_PAGE_MB", "1.5"),
        ("DURABLE_HTTP_HOSTS", "http://orders.example"),
        ("DURABLE_HTTP_HOSTS", "orders.example:80"),
        ("DURABLE_HTTP_ORIGINS", "orders.example"),
        ("DURABLE_HTTP_ORIGINS", "https://orders.example/path"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read_settings({name: value}, EMPTY)


def test_an_empty_setting_is_not_set() -> None:
    assert read_settings({"DURABLE_HUB": " ", "DURABLE_PARTITIONS": ""}, EMPTY) == read_settings({}, EMPTY)


@pytest.mark.parametrize(
    ("site", "hub"),
    [
        ("orders", "orders"),
        ("my-orders_app.eu", "myordersappeu"),
        ("2024-orders", "t2024orders"),
        ("o", "oHub"),
        ("---", "DurableHub"),
        ("a" * 60, "a" * 45),
    ],
)
def test_the_hub_is_named_after_the_site(site: str, hub: str) -> None:
    assert read_settings({"WEBSITE_SITE_NAME": site}, EMPTY).hub == hub


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WEBSITE_HOSTNAME": "orders.azurewebsites.net"}, "https://orders.azurewebsites.net"),
        ({"WEBSITE_HOSTNAME": "localhost:7071"}, "http://localhost:7071"),
        ({"WEBSITE_HOSTNAME": "0.0.0.0:80"}, "http://localhost:7071"),
        ({"WEBSITE_HOSTNAME": "a.example", "DURABLE_BASE_URL": "https://b.example"}, "https://b.example"),
    ],
)
def test_links_without_a_request(environ: dict[str, str], expected: str) -> None:
    assert read_settings(environ, EMPTY).base_url == expected


def test_the_route_prefix_is_that_of_the_host(tmp_path: Path) -> None:
    override = "AzureFunctionsJobHost__extensions__http__routePrefix"
    host = '{ // people comment this file\n "extensions": {"http": {"routePrefix": "v1/"}}}'
    (tmp_path / "host.json").write_text(host, encoding="utf-8")
    assert read_settings({}, tmp_path).route_prefix == "v1"
    assert read_settings({override: ""}, tmp_path).route_prefix == ""
    assert read_settings({override: "x"}, EMPTY).route_prefix == "x"


def test_limits_of_http() -> None:
    limits = read_settings({}, EMPTY).http.limits
    mb = 1024 * 1024
    assert (limits.body, limits.in_flight, limits.page) == (100 * mb, 256 * mb, 16 * mb)
    assert limits.arrival == timedelta(minutes=2)
    # Room for one body is there, however large it may be.
    assert read_settings({"DURABLE_HTTP_BODY_MB": "500"}, EMPTY).http.limits.in_flight == 500 * mb
    given = {"DURABLE_HTTP_BODY_MB": "1", "DURABLE_HTTP_IN_FLIGHT_MB": "2", "DURABLE_HTTP_PAGE_MB": "3"}
    limits = read_settings({**given, "DURABLE_HTTP_BODY_SECONDS": "4"}, EMPTY).http.limits
    assert (limits.body, limits.in_flight, limits.page) == (mb, 2 * mb, 3 * mb)
    assert limits.arrival == timedelta(seconds=4)


def test_names_and_origins_are_listed_by_commas() -> None:
    given = {"DURABLE_HTTP_HOSTS": "A.example, [::1]", "DURABLE_HTTP_ORIGINS": "https://A.example/,http://b:80"}
    http = read_settings(given, EMPTY).http
    assert http.hosts == {"a.example", "[::1]"}
    assert http.origins == {"https://a.example", "http://b:80"}
    assert read_settings({"DURABLE_HTTP_HOSTS": "*", "DURABLE_HTTP_ORIGINS": "*"}, EMPTY).http.origins == {"*"}


def test_the_attempts_are_those_of_the_host(tmp_path: Path) -> None:
    override = "AzureFunctionsJobHost__extensions__queues__maxDequeueCount"
    (tmp_path / "host.json").write_text('{"extensions": {"queues": {"maxDequeueCount": 7}}}', encoding="utf-8")
    assert read_settings({}, EMPTY).max_attempts == 5
    assert read_settings({}, tmp_path).max_attempts == 7
    assert read_settings({override: "3"}, tmp_path).max_attempts == 3
    # The last attempt that the host makes is the one at which the worker gives up.
    assert read_settings({}, tmp_path).worker.most_attempts == 7
    assert read_settings({override: "0"}, tmp_path).worker.most_attempts == 1


def test_the_docs_tell_the_same() -> None:
    rows = re.findall(r"^\| `(DURABLE_\w+)` \| (.+?) \| (.+?) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(setting.name, setting.default, setting.meaning) for setting in SETTINGS]


def test_the_reader_reads_what_is_listed_and_nothing_else() -> None:
    source = Path(read_settings.__code__.co_filename).read_text(encoding="utf-8")
    assert set(re.findall(r'"(DURABLE_[A-Z_]+)"', source)) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(
    ("text", "tags"),
    [("", ("default",)), ("default", ("default",)), (" GPU,default , gpu,", ("gpu", "default")), ("none", ())],
)
def test_tags_are_listed_by_commas(text: str, tags: tuple[str, ...]) -> None:
    assert read_settings({"DURABLE_WORK_TAGS": text}, EMPTY).worker.work_tags == tags


@pytest.mark.parametrize(
    ("told", "environ", "expected"),
    [
        ('"defaultVersion": "2.0"', {}, ("2.0", None, VersionMatch.CURRENT_OR_OLDER, None)),
        ('"defaultVersion": ""', {}, (None, None, VersionMatch.NONE, None)),
        (
            '"defaultVersion": "2.0", "versionMatchStrategy": "Strict", "versionFailureStrategy": "Fail"',
            {},
            ("2.0", None, VersionMatch.STRICT, VersionFailure.FAIL),
        ),
        (
            '"defaultVersion": "2.0", "versionMatchStrategy": "None", "versionFailureStrategy": "Reject"',
            {"DURABLE_VERSION": "3.0", "DURABLE_VERSION_FAILURE": "reject"},
            ("2.0", "3.0", VersionMatch.NONE, VersionFailure.REJECT),
        ),
        (
            '"defaultVersion": "2.0"',
            {"AzureFunctionsJobHost__extensions__durableTask__defaultVersion": "1.0"},
            ("1.0", None, VersionMatch.CURRENT_OR_OLDER, None),
        ),
    ],
)
def test_versions_of_host_json(
    tmp_path: Path, told: str, environ: dict[str, str], expected: tuple[object, ...]
) -> None:
    (tmp_path / "host.json").write_text(f'{{"extensions": {{"durableTask": {{{told}}}}}}}', encoding="utf-8")
    settings = read_settings(environ, tmp_path)
    worker = settings.worker
    assert (settings.default_version, worker.version, worker.version_match, worker.version_failure) == expected


def test_a_strategy_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"versionMatchStrategy": "newest"}', encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"versionMatchStrategy of host.json is 'newest'; it takes one of none"
    ):
        read_settings({}, tmp_path)


def test_what_an_app_starts_has_the_version_of_host_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = '{"extensions": {"durableTask": {"defaultVersion": "2.0"}}}'
    (tmp_path / "host.json").write_text(host, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")

    def told(context: Any) -> Any:
        return context.version

    async def run(app: DurableApp) -> list[Any]:
        app.orchestration_trigger(context_name="context")(told)
        async with attached(app) as here:
            options = [StartOptions(version=version) for version in (None, "1.0", "")]
            ids = [await here.client.start("told", options=option) for option in options]
            return [(await here.client.wait_for_completion(one, timedelta(seconds=20))).output for one in ids]

    assert asyncio.run(run(DurableApp())) == ["2.0", "1.0", None]
    assert asyncio.run(run(DurableApp(default_version="3.0"))) == ["3.0", "1.0", None]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (None, VersionMatch.NONE, None)),
        ({"DURABLE_VERSION": "2.0"}, ("2.0", VersionMatch.CURRENT_OR_OLDER, None)),
        ({"DURABLE_VERSION": "2.0", "DURABLE_VERSION_MATCH": "Strict"}, ("2.0", VersionMatch.STRICT, None)),
        ({"DURABLE_VERSION_FAILURE": "reject"}, (None, VersionMatch.NONE, VersionFailure.REJECT)),
    ],
)
def test_versions(environ: dict[str, str], expected: tuple[object, ...]) -> None:
    worker = read_settings(environ).worker
    assert (worker.version, worker.version_match, worker.version_failure) == expected


def test_a_match_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match=r"DURABLE_VERSION_MATCH.*none, strict, current-or-older"):
        read_settings({"DURABLE_VERSION_MATCH": "newest"})
