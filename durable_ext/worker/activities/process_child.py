"""The child process: takes calls one by one from its parent, and ends with it.

Functions are imported by name, once; values come and go as JSON. What the code prints goes to the error output, because
the parent reads the other one.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import queue
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

import msgspec

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.payload import Converter, JsonConverter
from durable_ext.authoring.registry import ActivityDefinition
from durable_ext.errors import ConfigurationError
from durable_ext.records.failures import failure_from
from durable_ext.worker.activities.log import activity_logger
from durable_ext.worker.activities.process_frames import Answer, Call, Progressed, Raised, Returned, read_call, write


class _Progress:
    """Tells the parent how far a call is."""

    def __init__(self, pipe: BinaryIO, converter: Converter, last: msgspec.Raw) -> None:
        self._pipe = pipe
        self._converter = converter
        self.last = bytes(last)

    def report(self, value: Any) -> None:
        self.last = self._converter.encode(value)
        write(self._pipe, Progressed(value=msgspec.Raw(self.last)))

    def decode(self, kind: Any) -> Any:
        return self._converter.decode(self.last, kind)


class Child:
    """Deals with calls. Definitions and converters are kept from call to call."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._definitions: dict[tuple[str, str], ActivityDefinition] = {}
        self._converters: dict[str, Converter] = {"": JsonConverter()}

    def deal_with(self, call: Call) -> None:
        """Call the function and answer. Raises OSError when the parent is gone."""
        write(self._answers, self._answer(call))

    def _answer(self, call: Call) -> Answer:
        try:
            with self._within(call):
                return Returned(result=msgspec.Raw(self._result(call)))
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - it is the task's failure
            return Raised(failure=failure_from(error))

    def _within(self, call: Call) -> AbstractContextManager[object]:
        """What makes the span of the call the current one."""
        if call.trace is None or not call.attaching:
            return nullcontext()
        module, _, name = call.attaching.partition(":")
        attached: AbstractContextManager[object] = _find(module, name)(call.trace)
        return attached

    def _result(self, call: Call) -> bytes:
        definition, converter = self._definition(call), self._converter(call.converter)
        arguments: list[Any] = []
        if definition.takes_context:
            context = ActivityContext(call.instance_id, call.execution_id, call.task_id, call.attempt)
            progress = _Progress(self._answers, converter, call.last_progress)
            context.attach(call.name, progress, activity_logger)
            arguments.append(context)
        if definition.takes_input:
            arguments.append(converter.decode(bytes(call.input), definition.input_type))
        found = definition.function(*arguments)
        return converter.encode(asyncio.run(found) if inspect.iscoroutine(found) else found)

    def _definition(self, call: Call) -> ActivityDefinition:
        key = (call.module, call.function)
        if key not in self._definitions:
            self._definitions[key] = ActivityDefinition(call.name, _find(*key))
        return self._definitions[key]

    def _converter(self, place: str) -> Converter:
        if place not in self._converters:
            module, _, name = place.partition(":")
            self._converters[place] = _find(module, name)
        return self._converters[place]


def _find(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise ConfigurationError(f"a child process imported {module!r} and found no {name!r} in it")
    return found


def main() -> None:
    """Serve the parent at the other end of the standard pipes, until it is gone."""
    calls_pipe, answers_pipe = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    calls: queue.Queue[Call] = queue.Queue()

    def listen() -> None:
        while (call := read_call(calls_pipe)) is not None:
            calls.put(call)
        os._exit(0)  # nobody waits for what runs

    threading.Thread(target=listen, daemon=True).start()
    child = Child(answers_pipe)
    while True:
        try:
            child.deal_with(calls.get())
        except OSError:
            sys.exit(0)
        sys.stdout.flush()
