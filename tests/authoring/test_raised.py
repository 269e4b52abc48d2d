"""A failure is caught by its type where that is known, and is never more than data (R4)."""

from __future__ import annotations

import abc
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from durable_ext.authoring.raised import task_failed
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ActivityTimedOutError, DuplicateNameError, StorageUnavailableError, TaskFailedError
from durable_ext.records.failures import Failure, failure_from, qualified_name


class StockError(Exception):
    pass


class OutOfStockError(StockError):
    def __init__(self, sku: str, wanted: int) -> None:
        super().__init__(f"{sku}: {wanted}")
        self.properties = {"sku": sku, "wanted": wanted}
        raise_if_called.append(sku)


raise_if_called: list[str] = []


class SlottedError(Exception):
    __slots__ = ("code",)


class FullDiskError(OSError):
    def __new__(cls, *arguments: Any) -> Any:
        assert len(arguments) == 3
        return super().__new__(cls, *arguments)


class AbstractError(Exception, abc.ABC):
    @abc.abstractmethod
    def code(self) -> int: ...


@dataclass(frozen=True)
class FrozenError(Exception):
    sku: str


class DemandingError(Exception):
    def __init_subclass__(cls, *, code: int) -> None:
        super().__init_subclass__()


class PrivateError(Exception):
    """Has names of ours."""

    @property
    def failure(self) -> str:
        return "mine"

    @property
    def retryable(self) -> bool:
        return True

    def __str__(self) -> str:
        raise LookupError("no text")


class BothError(OutOfStockError, KeyError):
    pass


def met(error: BaseException | Failure, **errors: type[Exception]) -> TaskFailedError:
    failure = error if isinstance(error, Failure) else failure_from(error)
    return task_failed("reserve", failure, errors)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        TimeoutError("x"),
        OSError(2, "x"),
        FileNotFoundError(2, "x"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
        SyntaxError("x"),
        ImportError("x", name="y"),
        RecursionError("x"),
        SlottedError("x"),
        FullDiskError(1, "x", "y"),
        FrozenError("x"),
        ActivityTimedOutError("x"),
        StorageUnavailableError("x"),
        PrivateError("x"),
        BothError("x", 1),
    ],
)
def test_it_is_of_the_type_that_was_raised(error: Exception) -> None:
    found = met(error)
    assert isinstance(found, type(error))
    assert isinstance(found, TaskFailedError)
    assert str(found) == f"reserve failed: {found.failure.summary}"
    assert repr(found) == f"TaskFailedError({str(found)!r})"
    assert (found.task_name, found.failure.type) == ("reserve", qualified_name(type(error)))
    assert found in {found}
    with pytest.raises(type(error)):
        raise found
    # What is recorded does not depend on which classes this process knows.
    again = failure_from(found)
    assert (again.type, again.cause, again.bases) == (qualified_name(TaskFailedError), found.failure, ())
    assert again.retryable is failure_from(TaskFailedError("reserve", found.failure)).retryable


def test_a_class_that_cannot_be_abstract_here() -> None:
    name = qualified_name(AbstractError)
    assert isinstance(met(Failure(type=name, message="")), AbstractError)


@pytest.mark.parametrize(
    "name",
    [
        "nowhere.NoError",
        "builtins.nothing",
        "SystemExit",
        "KeyboardInterrupt",
        "StopIteration",
        "StopAsyncIteration",
        "ExceptionGroup",
        "asyncio.exceptions.CancelledError",
        "int",
        "os.path",
        "os.error",  # another name of OSError
        f"{__name__}.DemandingError",
        f"{__name__}.OutOfStockError.properties",
        f"{__name__}.test_it_is_of_the_type_that_was_raised.<locals>.LocalError",
        "",
        ".",
        "durable_ext.errors.TaskFailedError",
    ],
)
def test_what_is_no_known_exception_is_a_failed_task_all_the_same(name: str) -> None:
    assert type(met(Failure(type=name, message="no"))) is TaskFailedError


def test_nothing_is_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "never_imported.py").write_text("class BadError(Exception): pass\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert type(met(Failure(type="never_imported.BadError", message=""))) is TaskFailedError
    assert "never_imported" not in sys.modules
    # The door of this package loads names when they are asked for; nobody asks.
    sys.modules["durable_ext"].__dict__.pop("StorageError", None)
    assert type(met(Failure(type="durable_ext.StorageError", message=""))) is TaskFailedError
    assert "StorageError" not in sys.modules["durable_ext"].__dict__


def test_no_code_of_the_class_is_called() -> None:
    failure = failure_from(OutOfStockError("a", 2))
    raise_if_called.clear()
    assert isinstance(met(failure), OutOfStockError)
    assert raise_if_called == []


def test_properties_stand_in_for_attributes() -> None:
    found: Any = met(OutOfStockError("a", 2))
    assert (found.sku, found.wanted) == ("a", 2)
    assert found.properties == found.failure.properties == {"sku": "a", "wanted": 2}
    assert failure_from(found).properties == {}, "they are those of the failure inside"
    with pytest.raises(AttributeError, match=r"__init__ was not called: it has no 'price', only .*: sku, wanted"):
        _ = found.price
    assert not hasattr(found, "__notes__")


def test_a_class_only_another_process_knows_is_caught_by_the_bases_that_both_know() -> None:
    failure = Failure(type="nowhere.BadError", message="", bases=("nowhere.WorseError", "ConnectionError", "OSError"))
    found = met(failure)
    assert isinstance(found, ConnectionError)
    assert not isinstance(met(Failure(type="nowhere.BadError", message="")), OSError)
    mixture = met(Failure(type="nowhere.BadError", message="", bases=("nowhere.Other", "KeyError", "OSError")))
    assert isinstance(mixture, KeyError)
    assert type(mixture).__mro__.count(KeyError) == 1


def test_a_failure_a_child_let_through_is_caught_by_its_type() -> None:
    inside = met(OutOfStockError("a", 2))
    outside = met(failure_from(inside))
    assert isinstance(outside, OutOfStockError)
    assert outside.failure.type == qualified_name(TaskFailedError)
    assert outside.failure.cause is inside.failure
    own = RuntimeError("order not placed")
    own.__cause__ = inside
    assert not isinstance(met(own), OutOfStockError), "the child has raised something else"
    assert met(own).failure.is_caused_by(OutOfStockError)


def test_registered_classes() -> None:
    class LocalError(Exception):
        pass

    registry = Registry()
    assert registry.add_error(LocalError) is LocalError
    assert registry.add_error(LocalError) is LocalError
    registry.add_error(LocalError, "old.place.LocalError")
    assert isinstance(task_failed("t", failure_from(LocalError()), registry.errors), LocalError)
    moved = Failure(type="old.place.LocalError", message="")
    assert isinstance(task_failed("t", moved, registry.errors), LocalError)
    assert type(task_failed("t", moved, {})) is TaskFailedError
    with pytest.raises(DuplicateNameError, match=r"two errors are called 'old\.place\.LocalError'"):
        registry.add_error(ValueError, "old.place.LocalError")
    app = Registry()
    app.include(registry)
    assert app.errors == registry.errors


def test_except_star() -> None:
    caught: list[BaseException] = []
    try:
        raise ExceptionGroup("several", [met(OutOfStockError("a", 1)), met(ValueError("b"))])
    except* StockError as group:
        caught += group.exceptions
    except* TaskFailedError as group:
        caught += group.exceptions
    assert [isinstance(error, OutOfStockError) for error in caught] == [True, False]
