"""A limit on the processor's time for a run in virtual time: what goes round in circles there never ends here.

Other processes on the machine do not count.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

# Asked again, should something have caught the first.
_AGAIN = 5.0


class PatienceError(BaseException):
    """The run took too long. No Exception, so that the engine does not deal with it as with a failure of its own."""


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Raise PatienceError inside the block after so many seconds; only the main thread of a Unix process can."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise PatienceError(f"it did not end within {seconds:.0f} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
