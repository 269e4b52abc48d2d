"""Exceptions as data: type, text, traceback, causes; never too much of it (R4)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from durable_ext.errors import PayloadError, StorageUnavailableError, TaskFailedError
from durable_ext.records.failures import Failure, failure_from, qualified_name

MOST_TEXT = 8 * 1024


class OutOfStockError(Exception):
    retryable = False


class ToldError(Exception):
    def __init__(self, **properties: object) -> None:
        super().__init__("told")
        self.properties = properties


class BrokenTextError(Exception):
    def __str__(self) -> str:
        raise LookupError("no text")


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - the point is to have its traceback
        return raised


def chain_of(failure: Failure | None) -> list[str]:
    links: list[str] = []
    while failure is not None:
        links.append(failure.type)
        failure = failure.cause
    return links


def test_what_is_kept() -> None:
    failure = failure_from(caught(ValueError("bad amount")))
    assert (failure.type, failure.message, failure.cause) == ("ValueError", "bad amount", None)
    assert "ValueError: bad amount" in failure.traceback
    assert "in caught" in failure.traceback
    assert failure.summary == "ValueError: bad amount"


def test_types_are_qualified() -> None:
    assert qualified_name(ValueError) == "ValueError"
    assert qualified_name(OutOfStockError) == f"{__name__}.OutOfStockError"
    assert failure_from(OutOfStockError("x")).summary == "OutOfStockError: x"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(ValueError(), True), (OutOfStockError(), False), (PayloadError(), False), (StorageUnavailableError(), True)],
)
def test_whether_to_try_again(error: Exception, *, retryable: bool) -> None:
    assert failure_from(error).retryable is retryable


def explicit() -> None:
    try:
        raise KeyError("sku")
    except KeyError as error:
        raise ValueError("bad order") from error


def implicit() -> None:
    try:
        raise KeyError("sku")
    except KeyError:
        raise ValueError("bad order")  # noqa: B904


def hidden() -> None:
    try:
        raise KeyError("sku")
    except KeyError:
        raise ValueError("bad order") from None


@pytest.mark.parametrize(
    ("raising", "chain"),
    [
        (explicit, ["ValueError", "KeyError"]),
        (implicit, ["ValueError", "KeyError"]),
        (hidden, ["ValueError"]),
    ],
)
def test_causes(raising: object, chain: list[str]) -> None:
    assert callable(raising)
    with pytest.raises(ValueError, match="bad order") as found:
        raising()
    assert chain_of(failure_from(found.value)) == chain


def test_a_failed_task_keeps_its_own_failure_as_cause() -> None:
    inner = Failure(type="shop.OutOfStock", message="none", cause=Failure(type="OSError", message="gone"))
    error = caught(TaskFailedError("reserve", inner))
    error.__cause__ = KeyError("not this one")
    failure = failure_from(error)
    assert failure.cause is inner
    assert failure.message == "reserve failed: OutOfStock: none"
    assert chain_of(failure) == ["durable_ext.errors.TaskFailedError", "shop.OutOfStock", "OSError"]


def test_a_failed_task_inside_a_chain() -> None:
    outer = RuntimeError("order not placed")
    outer.__cause__ = TaskFailedError("reserve", Failure(type="shop.OutOfStock", message="none"))
    assert chain_of(failure_from(outer)) == ["RuntimeError", "durable_ext.errors.TaskFailedError", "shop.OutOfStock"]


def test_asking_for_a_cause() -> None:
    failure = Failure(type="RuntimeError", message="", cause=Failure(type="shop.OutOfStock", message=""))
    assert failure.is_caused_by(RuntimeError)
    assert failure.is_caused_by("shop.OutOfStock")
    assert failure.is_caused_by("OutOfStock")
    assert not failure.is_caused_by("Stock")
    assert not failure.is_caused_by(ValueError)
    assert failure_from(OutOfStockError()).is_caused_by(OutOfStockError)


def test_texts_are_bounded_and_keep_their_end() -> None:
    failure = failure_from(caught(ValueError("x" * 100_000 + "the end")))
    assert len(failure.message) == MOST_TEXT + 3
    assert failure.message.startswith("...")
    assert failure.message.endswith("the end")
    assert len(failure.traceback) == MOST_TEXT + 3
    assert len(failure_from(ValueError("x" * MOST_TEXT)).message) == MOST_TEXT


def test_a_chain_is_bounded() -> None:
    error: BaseException = ValueError("first")
    for number in range(50):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer
    assert len(chain_of(failure_from(error))) == 11


def test_a_ring_of_causes_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert len(chain_of(failure_from(one))) == 11


def test_an_exception_without_a_text_of_its_own() -> None:
    failure = failure_from(caught(BrokenTextError()))
    assert failure.message == "the text of the exception cannot be had: its __str__ raised LookupError"


def test_a_text_that_is_not_unicode_can_be_stored() -> None:
    failure = failure_from(caught(FileNotFoundError("caf\udce9.txt")))
    assert failure.message == "caf\\udce9.txt"
    assert msgspec.json.decode(msgspec.json.encode(failure), type=Failure) == failure


def test_bases_are_kept() -> None:
    assert failure_from(FileNotFoundError()).bases == ("OSError",)
    assert failure_from(ValueError()).bases == ()
    failure = failure_from(StorageUnavailableError("x"))
    assert failure.bases == ("durable_ext.errors.StorageError", "durable_ext.errors.DurableError")
    assert msgspec.json.decode(msgspec.json.encode(failure), type=Failure) == failure


@pytest.mark.parametrize("kind", [OSError, "OSError", Exception, BaseException, "Exception", FileNotFoundError])
def test_asking_for_a_base(kind: type[BaseException] | str) -> None:
    outer = RuntimeError("no")
    outer.__cause__ = FileNotFoundError("x")
    assert failure_from(outer).is_caused_by(kind)


def test_properties_are_kept_as_data() -> None:
    failure = failure_from(
        ToldError(sku="a", when=datetime(2030, 1, 1, tzinfo=UTC), ids={UUID(int=1)}, nested=[{"b": 1}])
    )
    assert failure.properties == {
        "sku": "a",
        "when": "2030-01-01T00:00:00Z",
        "ids": ["00000000-0000-0000-0000-000000000001"],
        "nested": [{"b": 1}],
    }
    assert msgspec.json.decode(msgspec.json.encode(failure), type=Failure) == failure


def test_properties_of_a_cause() -> None:
    outer = ToldError(code=1)
    outer.__cause__ = ToldError(code=2)
    failure = failure_from(outer)
    assert [link.properties for link in failure.chain()] == [{"code": 1}, {"code": 2}]


def test_a_property_that_is_no_data_says_so() -> None:
    failure = failure_from(ToldError(lock=object(), sku="a", name="\ud800"))
    assert failure.properties == {"lock": "not data: object", "sku": "a", "name": "not data: str"}


def test_properties_are_bounded() -> None:
    failure = failure_from(ToldError(first=1, long="x" * MOST_TEXT, last=2))
    assert failure.properties == {"first": 1, "...": "2 more are left out: properties are at most 8192 bytes"}


def test_what_is_no_mapping_is_no_properties() -> None:
    error = ValueError("x")
    error.properties = 5  # pyright: ignore[reportAttributeAccessIssue]
    assert failure_from(error).properties == {}


def test_properties_that_an_app_provides() -> None:
    def provide(error: BaseException) -> dict[str, object] | None:
        return {"errno": error.errno} if isinstance(error, OSError) else None

    outer = ToldError(code=1)
    outer.__cause__ = OSError(5, "x")
    assert [link.properties for link in failure_from(outer, provide).chain()] == [{}, {"errno": 5}]

    def broken(error: BaseException) -> dict[str, object]:
        raise LookupError

    assert failure_from(outer, broken).properties == {"properties": "they cannot be had: LookupError"}


def test_the_failure_inside_counts() -> None:
    error = TaskFailedError("reserve", Failure(type="shop.OutOfStock", message="", properties={"a": 1}))
    assert failure_from(error).properties == {}
