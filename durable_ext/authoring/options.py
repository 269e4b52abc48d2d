"""Keyword arguments: of the calls an orchestrator makes, and of the registration of an activity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict, get_args

from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import InvalidInputError

Placement = Literal["auto", "local", "queue"]
PLACEMENTS = get_args(Placement)
RunIn = Literal["thread", "process"]


class ActivityOptions(TypedDict, total=False):
    """`retry`: when to try again. `placement`: where it runs (S3). `result_type`: decodes the result of an activity
    called by name; azure-functions-durable calls it `expected_type`. `tags`: kept in history. `tag`: it runs only in a
    process that serves this tag (docs/routing.md). `session_id`: it runs where others with this id run."""

    retry: RetryPolicy | None
    placement: Placement
    result_type: Any
    expected_type: Any
    tags: dict[str, str] | None
    tag: str | None
    session_id: str | None


class ChildTerms(TypedDict, total=False):
    """`retry`, `result_type`, `tags`: as for activities."""

    retry: RetryPolicy | None
    result_type: Any
    tags: dict[str, str] | None


class ChildOptions(ChildTerms, total=False):
    """`instance_id`: the child's, else `{execution id}:{n}`. `version`; `expected_type`: as for activities."""

    instance_id: str | None
    version: str | None
    expected_type: Any


class ActivityTerms(TypedDict, total=False):
    """On what terms an activity runs.

    `at_most_once`: it is not begun a second time for one call, whatever happens; without `after_fault` the call then
    fails with ActivityOutcomeUnknownError. `after_fault`: what runs instead when a second delivery finds it begun; of
    the shapes of an activity and called with the same input, its result is that of the call. It may run more than once.
    `time_limit`: how long one run may take, longer than zero; after that the call fails with ActivityTimedOutError.
    `max_concurrent`: at most so many run at once in this process, at least 1; the rest waits without a slot, or goes to
    the queue. `run_in`: "process" for work of the processor, in one of a few child processes; the function is found
    there by its module and name. "thread" is the default, and async functions run on the loop.
    """

    at_most_once: bool
    after_fault: Callable[..., Any] | None
    time_limit: timedelta | None
    max_concurrent: int | None
    run_in: RunIn


def known_of(options: type) -> frozenset[str]:
    """The keywords of a call, from the type that lists them."""
    return frozenset(options.__annotations__)


def check_known(call: str, options: Iterable[str], known: frozenset[str]) -> None:
    """Raises TypeError for a keyword that the call does not have: not every caller runs a type checker."""
    if not known.issuperset(options):
        unknown = min(set(options) - known)
        raise TypeError(f"{call} has no argument {unknown!r}; there are {', '.join(sorted(known))}")


def named(call: str, names: Sequence[str], values: Sequence[Any]) -> Any:
    """Positional arguments of azure-functions-durable as the options they mean. Raises TypeError for too many."""
    if len(values) > len(names):
        raise TypeError(f"{call} takes at most {', '.join(names)} after its input")
    return dict(zip(names, values, strict=False))


def check_placement(placement: str) -> str:
    """The placement itself. Raises InvalidInputError for one that there is not."""
    if placement not in PLACEMENTS:
        raise InvalidInputError(f"there is no placement {placement!r}; there are {', '.join(PLACEMENTS)}")
    return placement
