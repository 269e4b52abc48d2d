"""Unit tests of a generator orchestrator with a mocked context, as azure-functions-durable documents them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


def orchestrator_generator_wrapper(generator: Generator[Any, Any, Any]) -> Generator[Any, None, None]:
    """Play a generator orchestrator on tasks whose `.result` a test has set: yields each task, at last the output.

    A task whose `result` is an exception, or raises one, throws it into the orchestrator. What the orchestrator does
    not catch comes out.

        outcome = list(orchestrator_generator_wrapper(chain(context)))[-1]
    """
    try:
        task = next(generator)
        while True:
            yield task
            error, result = _outcome(task)
            task = generator.send(result) if error is None else generator.throw(error)
    except StopIteration as stop:
        yield stop.value


def _outcome(task: Any) -> tuple[Exception | None, Any]:
    try:
        result = task.result
    except Exception as error:  # noqa: BLE001 - the orchestrator decides
        return error, None
    return (result, None) if isinstance(result, Exception) else (None, result)
