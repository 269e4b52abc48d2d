"""What an orchestrator says of itself: its custom status, and that it starts over (a room of the context)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

from durable_ext.authoring.decisions import Decisions
from durable_ext.authoring.payload import Converter, encode
from durable_ext.records.events import CustomStatusSet
from durable_ext.records.given import check_version


class Outcomes:
    """Mixed into the orchestration context."""

    _decisions: Decisions
    _converter: Converter
    _custom_status: Any = None
    _starts_over = False

    def set_custom_status(self, status: Any) -> None:
        """What people see beside the runtime status; any value that is data. Raises PayloadError."""
        self._decisions.check_thread()
        self._decisions.decide(CustomStatusSet(status=encode(self._converter, status)))
        self._custom_status = status

    @property
    def custom_status(self) -> Any:
        """What set_custom_status was given last in this execution; None before."""
        return self._custom_status

    def continue_as_new(self, input_: Any = None, *, version: str | None = None, keep_events: bool = True) -> None:
        """Start over with a new input and an empty history, as soon as the code returns or waits.

        External events that nobody waited for go along unless `keep_events` is false. Raises PayloadError.
        """
        self._decisions.check_thread()
        self._decisions.continue_as_new(encode(self._converter, input_), check_version(version), keep_events)
        self._starts_over = True

    @property
    def will_continue_as_new(self) -> bool:
        """Whether continue_as_new was called."""
        return self._starts_over

    @property
    def function_context(self) -> SimpleNamespace:
        """Empty: an orchestrator has no binding of the host's. There for code of azure-functions-durable."""
        return SimpleNamespace()

    @property
    def histories(self) -> NoReturn:
        """Not for orchestrators: what they decide by must not change with the shape of the history."""
        raise NotImplementedError(
            "an orchestrator does not read its own history; a client does: get_status(instance_id, show_history=True)"
        )
