"""Exceptions as data: type, text, traceback, causes; never too much of it (R4)."""

from __future__ import annotations

import msgspec
import pytest

from durable_ext.errors import PayloadError, StorageUnavailableError, TaskFailedError
from durable_ext.records.failures import Failure, failure_from, qualified_name

MOST_TEXT = 8 * 1024


class OutOfStockError(Exception):
    retryable = False


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
