"""Child processes for activities that keep a processor busy: few, kept for the next call, killed when nobody waits.

A child is a fresh interpreter with this one's import path, not a copy of this process; it knows of the app only what
it imports to call the function.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, cast

from durable_ext.errors import ActivityProcessError, ConfigurationError
from durable_ext.records.failures import Failure
from durable_ext.worker.activities.process_frames import Call, Progressed, Raised, read_answer, write

# What a child runs; its argument is the import path.
BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from durable_ext.worker.activities.process_child import main; main()"
)


class FailedElsewhereError(Exception):
    """The code failed in another process; `failure` is what is known of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.summary)
        self.failure = failure


class _Child:
    def __init__(self) -> None:
        if not sys.executable:
            raise ConfigurationError("this Python does not know its own program, and can start no child process")
        # In a session of its own: a Ctrl-C is for the parent, which then ends it.
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", BEGIN, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.calls = cast("BinaryIO", self._process.stdin)
        self.answers = cast("BinaryIO", self._process.stdout)

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        """Kill it if need be, and return its exit code. Not while another thread reads from it."""
        self._process.kill()
        code = self._process.wait()
        self.answers.close()
        try:
            self.calls.close()
        except BrokenPipeError:  # what it had not read is lost with it
            return code
        return code


class ProcessCall:
    """One call, from when it is asked for; `kill` may come at any time, from another thread."""

    def __init__(self, call: Call, on_progress: Callable[[bytes], None]) -> None:
        self.call = call
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._killed = False

    @property
    def is_running(self) -> bool:
        """Whether a child has it in hand."""
        return self._child is not None

    def kill(self) -> None:
        """End the process that runs it, or keep it from beginning."""
        with self._lock:
            self._killed = True
            if self._child is not None:
                self._child.kill()

    def run_in(self, child: _Child) -> bytes:
        """The result as JSON. Raises FailedElsewhereError, and EOFError when the process ended."""
        with self._lock:
            if self._killed:
                raise EOFError
            self._child = child
        try:
            write(child.calls, self.call)
            return self._answer(child)
        except OSError as error:
            raise EOFError from error
        finally:
            with self._lock:
                self._child = None

    def _answer(self, child: _Child) -> bytes:
        while (answer := read_answer(child.answers)) is not None:
            if isinstance(answer, Progressed):
                self._on_progress(bytes(answer.value))
            elif isinstance(answer, Raised):
                raise FailedElsewhereError(answer.failure)
            else:
                return bytes(answer.result)
        raise EOFError


class ProcessPool:
    """The child processes of one worker. How many run at once is the caller's concern."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._closed = False

    def call(self, wanted: ProcessCall, *, retryable: bool) -> bytes:
        """The result as JSON; blocks. Raises FailedElsewhereError, ActivityProcessError when the process died."""
        child = self._take()
        try:
            result = wanted.run_in(child)
        except FailedElsewhereError:
            self._put_back(child)
            raise
        except EOFError:
            raise ActivityProcessError(
                f"the process of activity {wanted.call.name!r} ended with exit code {child.end()} before it answered",
                retryable=retryable,
            ) from None
        except BaseException:
            child.end()
            raise
        self._put_back(child)
        return result

    def close(self) -> None:
        """End the children that do nothing, and those that do something as soon as they are done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.lives:
                    return child
                child.end()
        return _Child()

    def _put_back(self, child: _Child) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        child.end()
