"""Looking at instances: the fields, the filters, the pages, and the values as exact as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.datastructures import QueryParams

from durable_ext.http_api.instances import CONTINUATION
from durable_ext.http_api.queries import instance_filter
from durable_ext.records.failures import Failure
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import inline, stored
from durable_ext.records.progress import Report

from .asking import ask
from .store import NOW, Hub, json_payload


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200
    return [item["instanceId"] for item in response.json()]


def test_the_fields() -> None:
    hub = Hub()
    hub.add("runs", updated_at=NOW + timedelta(minutes=1))
    assert ask(hub, "GET instances/runs").json() == {
        "name": "greet",
        "instanceId": "runs",
        "runtimeStatus": "Running",
        "input": {"who": "you"},
        "customStatus": None,
        "output": None,
        "createdTime": "2025-03-01T12:00:00Z",
        "lastUpdatedTime": "2025-03-01T12:01:00Z",
    }


def test_what_its_activities_said_last() -> None:
    hub = Hub()
    hub.add("runs")
    for task_id, value in ((3, b'{"price":1.10}'), (1, b"5")):
        hub.store.reports.append(
            Report(
                instance_id="runs",
                work_item=f"w{task_id}",
                task_id=task_id,
                name="load",
                time=NOW + timedelta(milliseconds=1500),
                value=inline(value),
            )
        )
    assert "activityProgress" not in ask(hub, "GET instances/runs").json()
    response = ask(hub, "GET instances/runs?showProgress=true")
    assert response.json()["activityProgress"] == [
        {"name": "load", "taskId": 1, "time": "2025-03-01T12:00:01Z", "progress": 5},
        {"name": "load", "taskId": 3, "time": "2025-03-01T12:00:01Z", "progress": {"price": 1.1}},
    ]
    assert '{"price":1.10}' in response.text
    assert "showProgress=true" in response.headers["location"]
    hub.add("idle")
    assert ask(hub, "GET instances/idle?showProgress=true").json()["activityProgress"] == []


@pytest.mark.parametrize("status", list(RuntimeStatus))
def test_an_instance_that_has_not_ended_is_202(status: RuntimeStatus) -> None:
    hub = Hub()
    hub.add("a", status)
    response = ask(hub, "GET instances/a?returnInternalServerErrorOnFailure=true")
    ended = {"Completed": 200, "Terminated": 200, "Canceled": 200, "Failed": 500}
    assert response.status_code == ended.get(status.value, 202)
    assert response.json()["runtimeStatus"] == status.value
    assert ("location" in response.headers) == (response.status_code == 202)


def test_values_go_out_as_they_were_stored() -> None:
    hub = Hub()
    precise = b'{"price":1.10,"big":12345678901234567890123,"tiny":1e-400}'
    hub.store.blobs["blob"] = precise
    hub.add(
        "a",
        RuntimeStatus.COMPLETED,
        input=inline(precise),
        output=stored("blob", len(precise)),
        custom_status=json_payload("half"),
    )
    content = ask(hub, "GET instances/a").content
    assert content.count(precise) == 2
    assert b'"customStatus":"half"' in content
    assert ask(hub, "GET instances").content == b"[" + content + b"]"


def test_the_output_of_a_failed_instance_says_why() -> None:
    hub = Hub()
    hub.add_failed("a")
    shown = ask(hub, "GET instances/a").json()
    assert shown["output"] == "ValueError: no luck"
    assert "deep inside" not in str(shown)


def test_a_failure_has_its_parts() -> None:
    hub = Hub()
    cause = Failure(type="shop.OutOfStock", message="none", traceback="secret", properties={"sku": "a"})
    hub.add("a", RuntimeStatus.FAILED, failure=Failure(type="ValueError", message="no", cause=cause))
    hub.add("b")
    assert ask(hub, "GET instances/a").json()["failure"] == {
        "type": "ValueError",
        "message": "no",
        "properties": {},
        "cause": {"type": "shop.OutOfStock", "message": "none", "properties": {"sku": "a"}, "cause": None},
    }
    assert "failure" not in ask(hub, "GET instances/b").json()


@pytest.mark.parametrize("path", ["instances/a", "instances"])
def test_an_input_that_nobody_wants_is_not_loaded(path: str) -> None:
    hub = Hub()
    hub.add("a", input=stored("no such blob", 1))
    shown = ask(hub, f"GET {path}?showInput=False").json()
    assert (shown if isinstance(shown, dict) else shown[0])["input"] is None
    assert ask(hub, f"GET {path}").status_code == 500


def test_pages() -> None:
    hub = Hub()
    for number in range(5):
        hub.add(f"ü{number}")
    seen: list[str] = []
    headers: dict[str, str] = {}
    for number in range(3):
        response = ask(hub, "GET instances?top=2", headers=headers)
        seen += ids(response)
        assert (CONTINUATION in response.headers) == (number < 2)
        headers = {CONTINUATION: response.headers.get(CONTINUATION, "")}
    assert seen == ["ü0", "ü1", "ü2", "ü3", "ü4"]


@pytest.mark.parametrize("token", ["ü", "%%%", "_w=="])
def test_a_foreign_token_is_refused(token: str) -> None:
    response = ask(Hub(), "GET instances", headers=httpx.Headers({CONTINUATION: token}, encoding="utf-8"))
    assert response.status_code == 400


def test_many_rows_keep_their_order() -> None:
    hub = Hub()
    for number in range(50):
        hub.add(f"i{number:02}")
    assert ids(ask(hub, "GET instances")) == [f"i{number:02}" for number in range(50)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abc"),
        ("runtimeStatus=Running", "a"),
        ("runtimeStatus=running,%20Completed,", "ab"),
        ("runtimeStatus=Failed&runtimeStatus=Completed", "bc"),
        ("runtimeStatus=", "abc"),
        ("instanceIdPrefix=b", "b"),
        ("createdTimeFrom=2025-03-02T00:00:00Z", "bc"),
        ("createdTimeFrom=2025-03-02", "bc"),
        ("createdTimeFrom=2025-03-02T12:00:00%2B00:00", "bc"),
        ("createdTimeFrom=2025-03-02T14:00:00+02:00", "bc"),
        ("createdTimeFrom=2025-03-02T12:00:01", "c"),
        ("createdTimeFrom=1-01-01T00:00:00.000000Z", "abc"),
        ("createdTimeFrom=0001-01-01T00:00:00.0000000Z", "abc"),
        ("createdTimeTo=2025-03-02T12:00:00.0000000Z", "ab"),
        ("createdTimeTo=9999-12-31T23:59:59.9999999Z", "abc"),
        ("createdTimeFrom=2025-03-02T00:00Z&createdTimeTo=2025-03-03T00:00Z&taskHub=x&connection=y", "b"),
    ],
)
def test_filters(query: str, found: str) -> None:
    hub = Hub()
    hub.add("a", created_at=datetime(2025, 3, 1, 12, tzinfo=UTC))
    hub.add("b", RuntimeStatus.COMPLETED, created_at=datetime(2025, 3, 2, 12, tzinfo=UTC))
    hub.add("c", RuntimeStatus.FAILED, created_at=datetime(2025, 3, 3, 12, tzinfo=UTC))
    assert "".join(ids(ask(hub, f"GET instances?{query}"))) == found


def test_times_before_all_instances_are_within_what_stores_compare() -> None:
    where = instance_filter(QueryParams("createdTimeFrom=0001-01-01&createdTimeTo=1600-01-01"))
    assert where.created_from == where.created_to == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "query",
    [
        "createdTimeFrom=yesterday",
        "createdTimeTo=2025-13-01",
        "createdTimeTo=0001-01-01T00:00:00%2B14:00",
        "runtimeStatus=Busy",
        "top=-1",
        "top=1.5",
        "top=%C2%B2",
        "top=000",
        "showInput=maybe",
    ],
)
def test_values_that_are_none(query: str) -> None:
    response = ask(Hub(), f"GET instances?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["message"]


def test_a_page_is_never_larger_than_the_stores() -> None:
    hub = Hub()
    for number in range(1001):
        hub.add(f"i{number:04}")
    assert len(ids(ask(hub, "GET instances?top=999999999999"))) == 1000
    assert len(ids(ask(hub, "GET instances"))) == 100


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", ["pending", "runs"]),
        ("&runtimeStatus=Running,Completed", ["failed", "pending", "runs"]),
        ("&runtimeStatus=Failed", ["done", "pending", "runs"]),
        ("&createdTimeTo=2025-01-02", ["done", "failed", "pending", "runs"]),
        ("&runtimeStatus=Running", ["done", "failed", "pending", "runs"]),
    ],
)
def test_purging_by_filter_spares_what_has_not_ended(query: str, left: list[str]) -> None:
    hub = Hub()
    hub.add("runs")
    hub.add("pending", RuntimeStatus.PENDING)
    hub.add("done", RuntimeStatus.COMPLETED)
    hub.add_failed("failed")
    response = ask(hub, f"DELETE instances/?createdTimeFrom=2025-01-01{query}")
    assert hub.ids == left
    if len(left) < 4:
        assert response.json() == {"instancesDeleted": 4 - len(left)}
    else:
        assert response.status_code == (404 if "To" in query else 400)


def test_purging_by_filter_spares_what_is_created_after_the_request() -> None:
    hub = Hub()
    hub.add("later", RuntimeStatus.COMPLETED, created_at=datetime.now(UTC) + timedelta(days=1))
    assert ask(hub, "DELETE instances?createdTimeFrom=2025-01-01").status_code == 404


def test_purging_one() -> None:
    hub = Hub()
    hub.add("done", RuntimeStatus.COMPLETED)
    assert ask(hub, "DELETE instances/done").json() == {"instancesDeleted": 1}
    assert hub.ids == []


def test_quarantine() -> None:
    hub = Hub()
    hub.add_quarantined("m1")
    hub.add_quarantined("m2")
    assert ask(hub, "GET quarantine?top=1").json() == [
        {
            "id": "m1",
            "queue": "hub-control-00",
            "body": "{}",
            "reason": "no JSON",
            "instanceId": "i",
            "dequeueCount": 6,
            "time": "2025-03-01T12:00:00.123456Z",
            "stack": "Traceback: here",
        }
    ]
    assert ask(hub, "GET quarantine/m2").json()["stack"] == "Traceback: here"
    released: list[tuple[str, bool]] = []

    async def release(message_id: str, *, replay: bool) -> bool:
        released.append((message_id, replay))
        return True

    hub.store.release_quarantined = release
    ask(hub, "POST quarantine/m1/replay")
    ask(hub, "DELETE quarantine/m2")
    assert released == [("m1", True), ("m2", False)]
