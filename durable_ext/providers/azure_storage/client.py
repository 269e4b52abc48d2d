"""The seam between this room and storage: the few calls it makes, as named verbs. No behaviour.

Benchmarks count calls here, tests inject faults here, an in-memory double stands in here. A verb is one storage call.
Every call may have taken effect although it failed (P13); each verb says what a repeat then meets. An answer that is no
success is a StorageRefusedError with its HTTP status, except where a verb says otherwise; no answer after all retries
is a StorageUnavailableError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from durable_ext.errors import HubNotFoundError, StorageError

# Columns by name. A datetime is written as Edm.DateTime; what is read may be its text instead.
Value = str | int | bool | datetime
Entity = dict[str, Value]


class StorageRefusedError(StorageError):
    """Storage answered, and not with success. `status` is HTTP's, `code` is storage's own word for it."""

    def __init__(self, call: str, status: int, code: str) -> None:
        super().__init__(f"{call} was refused by storage: {status} {code}")
        self.status = status
        self.code = code


class ArtefactMissingError(StorageRefusedError, HubNotFoundError):
    """A table, queue or container that every hub has is not there."""

    def __init__(self, call: str, status: int, code: str) -> None:
        super().__init__(call, status, code)
        self.args = (
            f"{self.args[0]}; no host has made this task hub, or it was deleted: "
            "check its name (DURABLE_HUB, --hub), start its host, or create it by `durable hub create`",
        )


_MISSING = frozenset({"TableNotFound", "QueueNotFound", "ContainerNotFound"})


def refusal(call: str, status: int, code: str) -> StorageRefusedError:
    """The error for an answer that is no success."""
    return (ArtefactMissingError if code in _MISSING else StorageRefusedError)(call, status, code)


class Condition(msgspec.Struct, frozen=True):
    """One condition of a query. `in` takes a tuple, `outside` the two ends of a range, the others one value."""

    column: str
    operator: Literal["eq", "ge", "gt", "le", "lt", "in", "outside"]
    value: Value | tuple[str, ...]


class Query(msgspec.Struct, frozen=True):
    """Rows that meet all conditions, in key order, with all columns or the selected ones, as far as they have them."""

    where: tuple[Condition, ...]
    select: tuple[str, ...] = ()
    top: int = 1000


class Stored(NamedTuple):
    """An entity and the etag that guards its replacement."""

    entity: Entity
    etag: str


# Where the next page begins: partition key and row key, in storage's own writing.
Continuation = tuple[str, str]


class EntityPage(NamedTuple):
    """One page of a query; it may be short, or empty, and still have a continuation."""

    entities: list[Entity]
    continuation: Continuation | None


class Receipt(NamedTuple):
    """What names a queue message while its lease holds."""

    message_id: str
    receipt: str


class QueueMessage(NamedTuple):
    """A queue message received. `text` is its body as it was put."""

    message_id: str
    receipt: str
    dequeue_count: int
    text: str


class PeekedMessage(NamedTuple):
    """A queue message seen without receiving it. `inserted` is when it was put, aware UTC, to the second."""

    inserted: datetime
    dequeue_count: int
    text: str


class ListedBlob(NamedTuple):
    """A blob as a listing shows it. `etag` is another one after each write, `written` is when that was, aware UTC."""

    name: str
    etag: str
    written: datetime


class BlobPage(NamedTuple):
    """One page of blobs, in the order of their names."""

    blobs: list[ListedBlob]
    continuation: str | None

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [blob.name for blob in self.blobs]


class Key(NamedTuple):
    """What names an entity in its table."""

    partition_key: str
    row_key: str


# One change of a transaction: an entity is inserted or replaced, or the one with a key is deleted.
Change = Entity | Key


class StorageClient(ABC):
    """Tables, queues and blobs of one storage account."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections. Repeatable."""

    @abstractmethod
    async def create_table(self, table: str) -> None:
        """Create a table; one that is there is no error, so a repeat is none either."""

    @abstractmethod
    async def delete_table(self, table: str) -> None:
        """Delete a table; one that is gone is no error."""

    @abstractmethod
    async def insert_entity(self, table: str, entity: Entity) -> str:
        """Insert and return the etag. 409 when the key is there, which a repeat of our own insert meets too."""

    @abstractmethod
    async def put_entity(self, table: str, entity: Entity) -> None:
        """Insert or replace, whatever is there. A repeat writes the same."""

    @abstractmethod
    async def replace_entity(self, table: str, entity: Entity, etag: str) -> str:
        """Replace the one with this etag and return the new etag; else 412 or 404, as a repeat of our own does.

        An etag that storage never gave out, such as the empty one, is 412 too.
        """

    @abstractmethod
    async def read_entity(self, table: str, partition_key: str, row_key: str) -> Stored | None:
        """The entity, or None."""

    @abstractmethod
    async def query_entities(self, table: str, query: Query, continuation: Continuation | None = None) -> EntityPage:
        """One page of a query."""

    @abstractmethod
    async def delete_entity(self, table: str, partition_key: str, row_key: str, etag: str = "*") -> None:
        """Delete the one with this etag, else 412. One that is gone is no error."""

    @abstractmethod
    async def change_entities(self, table: str, changes: Sequence[Change]) -> None:
        """Make up to 100 changes, each of another entity of one partition: all of them or none.

        404 when an entity to delete is gone, which a repeat of our own meets too.
        """

    @abstractmethod
    async def create_queue(self, queue: str) -> None:
        """Create a queue; one that is there is no error."""

    @abstractmethod
    async def delete_queue(self, queue: str) -> None:
        """Delete a queue; one that is gone is no error."""

    @abstractmethod
    async def put_message(self, queue: str, text: str, hidden: int = 0) -> Receipt:
        """Put a message that never expires, hidden for so many seconds. A repeat puts a second one (P7)."""

    @abstractmethod
    async def get_messages(self, queue: str, limit: int, lease: int) -> list[QueueMessage]:
        """Up to 32 messages, hidden for `lease` seconds. Those of a lost answer come back when their lease ends."""

    @abstractmethod
    async def peek_message(self, queue: str) -> PeekedMessage | None:
        """The visible message that would be received next, as it is, or None. It stays where it is."""

    @abstractmethod
    async def delete_message(self, queue: str, message_id: str, receipt: str) -> None:
        """Delete a message. 404 or 400 when it is gone or was taken over, as a repeat of our own does."""

    @abstractmethod
    async def update_message(self, queue: str, message_id: str, receipt: str, hidden: int) -> str:
        """Hide a message for so many seconds from now; return its new receipt. Refused as `delete_message` is."""

    @abstractmethod
    async def create_container(self, container: str) -> None:
        """Create a container; one that is there is no error."""

    @abstractmethod
    async def delete_container(self, container: str) -> None:
        """Delete a container; one that is gone is no error."""

    @abstractmethod
    async def put_blob(self, container: str, name: str, data: bytes) -> None:
        """Write gzip JSON, whatever is there. A repeat writes the same."""

    @abstractmethod
    async def get_blob(self, container: str, name: str, most: int | None = None) -> bytes | None:
        """The data as it was put, or None. Of data longer than `most` only the first bytes, one more than that."""

    @abstractmethod
    async def list_blobs(self, container: str, prefix: str, continuation: str | None = None) -> BlobPage:
        """One page of the blobs whose names have this prefix."""

    @abstractmethod
    async def delete_blob(self, container: str, name: str, etag: str = "*") -> None:
        """Delete the blob that has this etag, else 412. One that is gone is no error, or 412 when an etag is named."""

    @abstractmethod
    def url_of(self, container: str, name: str) -> str:
        """The address of a blob, as people see it in the Instances row. No call."""
