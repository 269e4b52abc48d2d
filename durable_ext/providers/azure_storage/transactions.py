"""Changes of one partition that storage makes together or not at all: how they are written, and what their answer says.

OData calls it a batch with one change set: a POST of many requests as they would be sent alone, in one multipart body.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage.client import Change, Key, refusal
from durable_ext.providers.azure_storage.odata import address, encode_entity

# Storage takes so many in one transaction, and 4 MiB: keys and tombstones stay far below that.
MOST_CHANGES = 100

_HEADERS = "Accept: application/json;odata=nometadata\r\nDataServiceVersion: 3.0\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_CODE = re.compile(rb'"code"\s*:\s*"([^"]*)"')


def body_of(boundary: str, table_url: str, changes: Sequence[Change]) -> bytes:
    """The body of the request, whose parts `boundary` divides."""
    inner = f"changes_{boundary}"
    parts = [f"--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode()]
    for number, change in enumerate(changes):
        parts.append(
            f"--{inner}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: {number}\r\n\r\n".encode()
        )
        parts.append(_request(table_url, change))
    parts.append(f"--{inner}--\r\n--{boundary}--\r\n".encode())
    return b"".join(parts)


def check(call: str, answer: bytes) -> None:
    """Raise StorageRefusedError when storage refused a change, and with it all; StorageUnavailableError when it could
    not make them just now."""
    statuses = [int(found) for found in _STATUS.findall(answer)]
    failed = next((status for status in statuses if status >= 400), None)
    if failed is None and statuses:
        return
    found = _CODE.search(answer)
    code = found[1].decode(errors="replace") if found else ""
    if failed is None or failed >= 500 or failed in (408, 429):
        raise StorageUnavailableError(f"{call} failed with {failed or 'an answer that says nothing'} {code}")
    raise refusal(call, failed, code)


def _request(table_url: str, change: Change) -> bytes:
    """One change as it would be sent alone."""
    if isinstance(change, Key):
        place = address(table_url, change.partition_key, change.row_key)
        return f"DELETE {place} HTTP/1.1\r\n{_HEADERS}If-Match: *\r\n\r\n\r\n".encode()
    place = address(table_url, str(change["PartitionKey"]), str(change["RowKey"]))
    head = f"PUT {place} HTTP/1.1\r\n{_HEADERS}Content-Type: application/json\r\n\r\n"
    return head.encode() + encode_entity(change) + b"\r\n"
