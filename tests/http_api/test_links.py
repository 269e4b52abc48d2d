"""The URLs that are handed out: exact, absolute, with the key carried on, at the origin the caller used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from durable_ext.http_api.app import create_app
from durable_ext.http_api.links import management_urls
from durable_ext.http_api.mount import segments, split_path
from durable_ext.records.instance import RuntimeStatus

from .asking import BASE, ask
from .store import Hub


def test_the_payload() -> None:
    base = "https://app.example/api/durabletask/"
    url = "https://app.example/api/durabletask/instances/a%3A1%20%C3%A4%25"
    assert management_urls(base, "a:1 ä%", "?code=k%2F") == {
        "id": "a:1 ä%",
        "statusQueryGetUri": f"{url}?code=k%2F",
        "sendEventPostUri": url + "/raiseEvent/{eventName}?code=k%2F",
        "terminatePostUri": url + "/terminate?reason={text}&code=k%2F",
        "purgeHistoryDeleteUri": f"{url}?code=k%2F",
        "restartPostUri": f"{url}/restart?code=k%2F",
        "suspendPostUri": url + "/suspend?reason={text}&code=k%2F",
        "resumePostUri": url + "/resume?reason={text}&code=k%2F",
    }


def test_the_payload_without_a_query() -> None:
    urls = management_urls("http://h", "x")
    assert urls["statusQueryGetUri"] == "http://h/instances/x"
    assert urls["terminatePostUri"] == "http://h/instances/x/terminate?reason={text}"


def test_a_start_answers_with_urls_that_work() -> None:
    hub = Hub()
    response = ask(hub, "POST orchestrators/greet/a%20%C3%A4?code=k%2B1&timeout=0")
    assert response.json() == management_urls(BASE, "a ä", "code=k%2B1")
    assert response.headers["location"] == response.json()["statusQueryGetUri"]
    assert response.headers["retry-after"] == "10"
    assert ask(hub, f"GET {response.headers['location']}").json()["instanceId"] == "a ä"


def test_the_query_of_the_app_goes_to_every_url() -> None:
    app = create_app(Hub().client, query="?taskHub=my")
    urls = ask(app, "POST orchestrators/greet/a?code=k").json()
    assert all("taskHub=my&code=k" in url for name, url in urls.items() if name != "id")


def test_the_status_location_keeps_what_was_asked() -> None:
    hub = Hub()
    hub.add("runs", RuntimeStatus.PENDING)
    response = ask(hub, "GET instances/runs?showInput=false&code=k%2B1")
    assert response.headers["location"] == f"{BASE}/instances/runs?code=k%2B1&showInput=false"
    assert response.headers["retry-after"] == "5"
    assert ask(hub, "GET instances/runs").headers["location"] == f"{BASE}/instances/runs"


def test_the_status_location_is_the_status_url_of_the_app() -> None:
    """As documented for Durable Functions; also when the caller left out what the URL of a start has."""
    hub = Hub()
    hub.add("runs", RuntimeStatus.PENDING)
    app = create_app(hub.client, query="taskHub=mine&connection=Storage")
    url = f"{BASE}/instances/runs?taskHub=mine&connection=Storage"
    assert ask(app, "GET instances/runs").headers["location"] == url
    asked = "GET instances/runs?connection=Other&code=k&showHistory=true&taskHub=mine"
    assert ask(app, asked).headers["location"] == f"{url}&code=k&showHistory=true"


FORWARDED = {"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "public.example:8443, inner"}


def location(forwarded: bool, headers: dict[str, str]) -> str:
    app = create_app(Hub().client, forwarded=forwarded)
    return ask(app, "POST orchestrators/greet/a", headers=headers).headers["location"]


def test_forwarded_headers_count_only_when_trusted() -> None:
    path = "/api/durabletask/instances/a"
    assert location(True, FORWARDED) == f"https://public.example:8443{path}"
    assert location(False, FORWARDED) == f"http://hub.example{path}"
    assert location(True, {}) == f"http://hub.example{path}"


@pytest.mark.parametrize("host", ["evil/path", "a b", "user@host", "host:port", ""])
def test_a_host_that_is_none_is_not_repeated(host: str) -> None:
    assert location(False, {"Host": host}) == "http://hub.example/api/durabletask/instances/a"


@pytest.mark.parametrize(
    ("path", "root_path", "prefix", "found"),
    [
        ("/api/durabletask/instances/x", "", "/api/durabletask", ("/api/durabletask", "/instances/x")),
        ("/API/DurableTask/instances", "", "/api/durabletask", ("/API/DurableTask", "/instances")),
        ("/api/durabletask", "", "/api/durabletask", ("/api/durabletask", "")),
        ("/durabletask/instances", "/durabletask", "/api/durabletask", ("/durabletask", "/instances")),
        ("/instances", "/durabletask", "/api/durabletask", ("/durabletask", "/instances")),
        ("/proxy/api/durabletask/x", "/proxy", "/api/durabletask", ("/proxy/api/durabletask", "/x")),
        ("/api/durabletask/x", "/proxy", "/api/durabletask", ("/proxy/api/durabletask", "/x")),
        ("/api/durabletask/x", "/api/durabletask/", "/api/durabletask", ("/api/durabletask", "/x")),
        ("/instances", "", "", ("", "/instances")),
        ("/api/durabletasks/x", "", "/api/durabletask", None),
        ("/other", "", "/api/durabletask", None),
    ],
)
def test_the_mount_is_found(path: str, root_path: str, prefix: str, found: tuple[str, str] | None) -> None:
    assert split_path(path, root_path, prefix) == found


def test_urls_start_at_the_mount() -> None:
    app = create_app(Hub().client, prefix="tasks/")
    response = ask(app, "POST http://hub.example/out/tasks/orchestrators/greet/a", root_path="/out")
    assert response.headers["location"] == "http://hub.example/out/tasks/instances/a"


def test_segments() -> None:
    assert segments("") == segments("/") == []
    assert segments("/instances/") == segments("/instances") == ["instances"]
    assert segments("/instances//x") == ["instances", "", "x"]


def test_links_and_history_need_no_web_framework() -> None:
    code = (
        "import sys, durable_ext.http_api, durable_ext.http_api.links, durable_ext.http_api.history\n"
        "assert 'starlette' not in sys.modules\n"
        "from durable_ext.http_api import create_app\n"
        "assert 'starlette' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
