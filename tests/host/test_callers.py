"""Who may call `durable host`: by which names, and from which pages."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from durable_ext.functions.http_settings import HttpSettings
from durable_ext.host.callers import Callers, Guarded, is_loopback

EVERYWHERE = "0.0.0.0"  # noqa: S104 - only compared
OWN = "http://localhost:7071"


def callers(address: str = "127.0.0.1", base_url: str = OWN, hosts: str = "", origins: str = "") -> Callers:
    settings = HttpSettings(hosts=frozenset(hosts.split()), origins=frozenset(origins.split()))
    return Callers(address, base_url, settings)


def refused(found: Callers, method: str = "GET", **headers: str) -> int | None:
    given = {"host": "localhost:7071", **{name.replace("_", "-"): value for name, value in headers.items()}}
    refusal = found.refusal(method, Headers(given))
    return None if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7071", "localhost.:1", "127.0.0.1:7071", "127.9.9.9", "[::1]:80"]
)
def test_a_host_on_this_machine_has_the_names_of_this_machine(host: str) -> None:
    assert refused(callers(), host=host) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7071", "localhost.evil.example", "10.0.0.5", "", "localhost:7071@evil"],
)
def test_any_other_name_is_refused(host: str) -> None:
    assert refused(callers(), host=host) == 421
    assert refused(callers(), "POST", host=host) == 421


def test_a_host_for_other_machines_has_its_own_names_too_and_any_number() -> None:
    found = callers(EVERYWHERE, base_url="https://orders.example", hosts="durable.internal")
    own = ("10.0.0.5:7071", "[fe80::1]:7071", socket.gethostname(), "orders.example", "durable.internal:7071")
    assert [refused(found, host=host) for host in own] == [None] * len(own)
    assert refused(found, host="evil.example") == 421
    assert refused(callers("build-server"), host="build-server:7071") is None


def test_any_name_can_be_allowed() -> None:
    assert refused(callers(hosts="*"), host="evil.example") is None
    assert refused(callers(hosts="*"), "POST", host="evil.example", origin="http://other.example") == 403


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH", "GET"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_what_a_page_of_another_origin_asks_is_refused(method: str, headers: dict[str, str]) -> None:
    assert refused(callers(), method, **headers) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": OWN},
        {"origin": "http://LOCALHOST:7071"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_own_pages_and_programs_may_write(headers: dict[str, str]) -> None:
    assert refused(callers(), "POST", **headers) is None


def test_a_link_from_elsewhere_may_be_followed_but_a_form_not() -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert refused(callers(), "GET", **link) is None
    assert refused(callers(), "POST", **link) == 403


def test_behind_a_proxy_the_own_pages_are_those_of_the_base_url() -> None:
    found = callers(EVERYWHERE, base_url="https://orders.example/")
    assert refused(found, "POST", host="10.0.0.5:7071", origin="https://orders.example") is None
    assert refused(found, "POST", host="10.0.0.5:7071", origin="https://evil.example") == 403


def test_pages_of_allowed_origins_may_call_and_read() -> None:
    async def asked(found: Callers, method: str, **headers: str) -> httpx.Response:
        app = Guarded(Response("done"), found)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OWN) as client:
            return await client.request(
                method, "/", headers={name.replace("_", "-"): headers[name] for name in headers}
            )

    allowed = callers(origins="http://pages.example")
    preflight = {"origin": "http://pages.example", "access_control_request_method": "DELETE"}
    answered = asyncio.run(asked(allowed, "OPTIONS", **preflight))
    assert answered.headers["access-control-allow-origin"] == "http://pages.example"
    assert "DELETE" in answered.headers["access-control-allow-methods"]
    answered = asyncio.run(asked(allowed, "POST", origin="http://pages.example"))
    assert (answered.status_code, answered.text) == (200, "done")
    assert answered.headers["access-control-allow-origin"] == "http://pages.example"
    assert asyncio.run(asked(allowed, "POST", origin="http://evil.example")).status_code == 403
    anybody = asyncio.run(asked(callers(origins="*"), "POST", origin="http://evil.example"))
    assert (anybody.status_code, anybody.headers["access-control-allow-origin"]) == (200, "*")
    refusal = asyncio.run(asked(callers(), "POST", origin="http://evil.example"))
    assert (refusal.status_code, refusal.json()["error"]) == (403, "foreign_origin")
    assert "access-control-allow-origin" not in refusal.headers


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        (EVERYWHERE, False),
        ("10.0.0.5", False),
        ("host", False),
    ],
)
def test_is_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
