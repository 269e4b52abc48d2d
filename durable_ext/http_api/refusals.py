"""What goes wrong, as the JSON that a caller gets: a code word, and a message that says what to do.

Expected errors of the tree keep their message. Anything else is logged here and answered without its text, which may
tell more than a caller should know.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from durable_ext.errors import (
    DurableError,
    InstanceExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidInputError,
)

_log = logging.getLogger("durable_ext.http_api")

RETRY_SECONDS = "5"
# Who was too slow with a body may still be sending it: nothing else can come on that connection.
_HEADERS: Mapping[int, Mapping[str, str]] = {503: {"Retry-After": RETRY_SECONDS}, 408: {"Connection": "close"}}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of every answer that refuses. `Message` and `ExceptionMessage` are there for refused starts."""

    error: str
    message: str
    summary: str | None = msgspec.field(default=None, name="Message")
    exception_message: str | None = msgspec.field(default=None, name="ExceptionMessage")


class Refusal(DurableError):
    """A request that is not done: HTTP status, code word, and the message of the exception."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.word = word

    def answer(self, *, for_start: bool = False) -> Response:
        """The refusal as a response; with the fields that azure-functions-durable reads when a start fails."""
        message = str(self)
        problem = Problem(
            error=self.word,
            message=message,
            summary="The orchestration was not started." if for_start else None,
            exception_message=message if for_start else None,
        )
        return Response(msgspec.json.encode(problem), self.status, _HEADERS.get(self.status), "application/json")


def refusal_of(error: Exception, place: str) -> Refusal:
    """The refusal that an error means. `place` names the route in the log, never the request's own words."""
    match error:
        case Refusal():
            return error
        case InvalidInputError():
            return Refusal(400, "invalid_value", str(error))
        case InstanceNotFoundError():
            return Refusal(404, "unknown_instance", str(error))
        case InstanceExistsError():
            return Refusal(409, "instance_exists", str(error))
        case InstanceStateError():
            return Refusal(410, "instance_ended", str(error))
        case DurableError() if error.retryable:
            _log.warning("%s could not be done now: %s", place, error)
            return Refusal(503, "storage_unavailable", "storage does not answer at the moment; try again later")
        case _:
            _log.error("%s failed", place, exc_info=error)
            return Refusal(500, "internal_error", "the request failed unexpectedly; the log of the app says why")
