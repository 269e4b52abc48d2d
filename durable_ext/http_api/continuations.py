"""Where the next page begins, as it travels in a header."""

from __future__ import annotations

import base64
import binascii

from durable_ext.errors import InvalidInputError

CONTINUATION = "x-ms-continuation-token"


def closed(continuation: str) -> str:
    """A place as the header carries it."""
    # A store's token may hold what a header cannot, an id with umlauts for example.
    return base64.urlsafe_b64encode(continuation.encode()).decode()


def opened(token: str) -> str | None:
    """The reverse; None for no header. Raises InvalidInputError."""
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode() if token else None
    except (binascii.Error, UnicodeError) as error:
        raise InvalidInputError(f"{CONTINUATION} is no token of this API; send back the one you got") from error
