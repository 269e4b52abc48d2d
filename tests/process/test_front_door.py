"""A whole host from outside: who gets in, what is said to who does not, and what it leaves in the log."""

from __future__ import annotations

import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .hosts import Host, until

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that is what the tests are about
ORDER: dict[str, Any] = {"number": "1", "lines": []}
LIMITS = {"DURABLE_HTTP_BODY_MB": "1", "DURABLE_HTTP_BODY_SECONDS": "1", "DURABLE_HTTP_AUTH_LEVEL": "function"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Generator[Host]:
    folder = tmp_path_factory.mktemp("host")
    with Host(folder, "--storage", f"sqlite:{folder / 'hub.sqlite'}", "--address", EVERYWHERE, environ=LIMITS) as host:
        yield host.start_and_wait()


def count(host: Host) -> int:
    return len(httpx.get(f"{host.api}/instances", timeout=20).json())


def start(host: Host, **options: object) -> httpx.Response:
    return httpx.post(f"{host.api}/orchestrators/order_approval", timeout=20, **options)  # pyright: ignore[reportArgumentType]


def test_who_listens_for_other_machines_without_keys_is_warned(host: Host) -> None:
    assert host.said("0.0.0.0 is open to other machines and asks for no key") == 1


def test_a_page_cannot_drive_it(host: Host) -> None:
    before = count(host)
    simple = {"content": "{}", "headers": {"content-type": "text/plain", "origin": "http://evil.example"}}
    assert start(host, **simple).status_code == 403
    rebound = httpx.get(f"{host.api}/instances", headers={"host": f"evil.example:{host.port}"}, timeout=20)
    assert (rebound.status_code, rebound.json()["error"]) == (421, "foreign_host")
    assert httpx.delete(f"{host.api}/instances/x", headers={"host": "evil.example"}, timeout=20).status_code == 421
    assert count(host) == before


def test_a_form_is_told_to_be_json(host: Host) -> None:
    answer = start(host, data={"a": "1"})
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["message"]
    assert start(host, json=ORDER).status_code == 202


def test_a_body_that_is_too_large_is_told_so(host: Host) -> None:
    answer = start(host, json="x" * 1_100_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def raw(host: Host, text: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", host.port), timeout=20)
    head = "POST /api/durabletask/orchestrators/order_approval HTTP/1.1\r\nHost: localhost\r\n"
    connection.sendall((head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n" + text).encode())
    return connection


def test_a_body_that_does_not_come_is_408_and_the_connection_closes(host: Host) -> None:
    with raw(host, "[1,") as connection:
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"too_slow" in answer


def test_a_caller_who_leaves_is_one_line_in_the_log(host: Host) -> None:
    lines = host.output().count("\n")
    raw(host, "[1,").close()
    host.wait_for_words("the body ended too early")
    assert count(host) >= 0
    assert host.output().count("\n") == lines + 1
    assert "Traceback" not in host.output()


def test_a_file_that_is_deleted_is_noticed_before_the_next_answer(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"
    with Host(tmp_path, "--storage", f"sqlite:{file}").start_and_wait() as host:
        assert start(host, json=ORDER).status_code == 202
        file.rename(tmp_path / "moved")
        assert start(host, json=ORDER).status_code == 503
        assert not file.exists()
        host.wait_for_words("was deleted or replaced")
        (tmp_path / "moved").rename(file)
        until(lambda: start(host, json=ORDER).status_code == 202, 20, "work goes on with the file put back")
