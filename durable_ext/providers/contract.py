"""What a store promises. Three abstract classes, no behaviour.

*Provider* is what the engine needs to run, *Feed* is where deliveries come from when no Functions trigger brings them,
*Catalog* is what people query and clean up. A provider stores and returns what it is told: it makes no ids, reads no
event's meaning beyond what rows need, and decides nothing.

Every verb may be repeated after an unknown outcome (P13): each says why that is harmless, or how the caller finds out.
Errors are StorageError and its kinds, each knowing whether it is retryable. docs/providers.md maps the methods of
other engines' storage contracts to these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from durable_ext.records.given import as_utc
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.messages import Delivery, Message, Quarantined
from durable_ext.records.payloads import Payload
from durable_ext.records.progress import Report
from durable_ext.records.turns import Turn

# Aware UTC now. Passed in, so that tests move time themselves.
Clock = Callable[[], datetime]


class VersionedRow(msgspec.Struct, frozen=True):
    """An Instances row and the token that guards its replacement."""

    row: InstanceRow
    etag: str


class Loaded(msgspec.Struct, frozen=True):
    """All that a session needs to go on: the row, and the turns of the current execution in order.

    The current execution is the newest one with a turn 0; the row may lag behind it (P8). A log without its turn 0 is
    left out (P3). No turns: nothing was committed yet. `buried` are the ids of executions that were purged and whose
    tombstones are still there (P10): a late start of one must not run again.
    """

    stored: VersionedRow | None
    turns: tuple[Turn, ...]
    buried: frozenset[str] = frozenset()


_TIMES = ("created_from", "created_to", "updated_from", "updated_to", "completed_from", "completed_to")


class InstanceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances a query means; every condition given must hold. Times are UTC, ends included.

    An instance that has not ended was not completed at any time. `entities`: True for entities only, False for
    orchestrations only, None for both. `parent`: children of this instance, whichever execution of it started them.
    `stuck`: only those that are stuck.
    """

    statuses: frozenset[RuntimeStatus] = frozenset()
    created_from: datetime | None = None
    created_to: datetime | None = None
    updated_from: datetime | None = None
    updated_to: datetime | None = None
    completed_from: datetime | None = None
    completed_to: datetime | None = None
    version: str = ""
    id_prefix: str = ""
    name: str = ""
    entities: bool | None = None
    parent: str = ""
    stuck: bool = False

    def __post_init__(self) -> None:
        for name in _TIMES:
            time: datetime | None = getattr(self, name)
            if time is not None:
                msgspec.structs.force_setattr(self, name, as_utc(time))


class Page(msgspec.Struct, frozen=True):
    """One page of rows, ordered by instance id. `continuation` None: there are no more. A page may be short."""

    rows: tuple[InstanceRow, ...]
    continuation: str | None


class Provider(ABC):
    """What the engine writes and reads. `inline_limit` is the longest payload, in bytes, that rows and messages carry
    themselves; the worker puts a longer one first (P1). `partitions` is the number of control queues."""

    inline_limit: int
    partitions: int

    @abstractmethod
    async def create_hub(self) -> None:
        """Create what is missing and check the rest. Repeatable.

        Raises HubMismatchError when the hub was made with another name, partition count or format version, or by
        another engine, and StorageUnavailableError when the store cannot be reached (the caller waits and tries again).
        """

    @abstractmethod
    async def check_hub(self) -> None:
        """See that the hub is there and was made alike; create nothing. Repeatable.

        Raises HubNotFoundError when nobody has made it, and as `create_hub` does.
        """

    @abstractmethod
    async def delete_hub(self) -> None:
        """Delete every artefact of the hub. Repeatable."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections. The provider is not used afterwards. Repeatable."""

    @abstractmethod
    async def create_row(self, row: InstanceRow, *, replacing: str | None = None) -> str:
        """Insert the Instances row, or replace the one with etag `replacing`; return the new etag (P9).

        Raises InstanceExistsError when a row is there (inserting) and RowChangedError when it is not the one named
        (replacing). After an unknown outcome: a row with our execution id is our own, and counts as success.
        """

    @abstractmethod
    async def update_row(self, row: InstanceRow, etag: str) -> str:
        """Replace the Instances row that has this etag; return the new one (P8).

        Raises RowChangedError when it has another or is gone. After an unknown outcome the caller gets RowChangedError,
        reads the row and finds its own position there.
        """

    @abstractmethod
    async def read_row(self, instance_id: str) -> VersionedRow | None:
        """The Instances row, or None."""

    @abstractmethod
    async def load(self, instance_id: str) -> Loaded:
        """Row and current history of an instance, read strongly consistent."""

    @abstractmethod
    async def consumed(self, instance_id: str) -> frozenset[str]:
        """Ids of all messages consumed by any kept execution of the instance (P7, redelivered messages only)."""

    @abstractmethod
    async def append(self, turn: Turn) -> None:
        """Insert the turn if no turn has this execution and number: the commit (P2). All of it or nothing.

        Raises TurnLostError when another turn is there. After an unknown outcome the provider reads the turn back: one
        with our commit id is our own insert.
        """

    @abstractmethod
    async def send(self, messages: Sequence[Message]) -> None:
        """Enqueue messages, each not visible before its `due`. Returns when all are stored (S7 may gather them).

        Not atomic: after an error some may have been sent. Sending again is harmless, receivers drop repeats (P7).
        """

    @abstractmethod
    async def reserve(self, message: Message, lease: timedelta) -> Delivery:
        """Enqueue a message that the caller processes itself: hidden for `lease`, received already (S4)."""

    @abstractmethod
    async def complete(self, delivery: Delivery) -> None:
        """Delete the queue message. One that is gone, or was taken over, is no error: receivers drop repeats (P7)."""

    @abstractmethod
    async def abandon(self, delivery: Delivery, delay: timedelta = timedelta(0)) -> None:
        """Make the queue message visible again after `delay`. One that is gone or taken over is no error."""

    @abstractmethod
    async def extend(self, delivery: Delivery, lease: timedelta) -> Delivery:
        """Hide the queue message for `lease` from now; return the delivery with its new receipt.

        Raises LeaseLostError when it is gone or was taken over (S6).
        """

    @abstractmethod
    async def open_delivery(self, queue: str, message_id: str, body: str, dequeue_count: int) -> Delivery:
        """The delivery that a queue trigger brought: decodes the body, from its blob if need be (F2).

        Never raises for a body it cannot decode: the delivery then has a `defect` (P11).
        """

    @abstractmethod
    async def put_payload(self, instance_id: str, data: bytes, *, owner: str = "") -> Payload:
        """Store a long payload and return its reference. Named by content, so doing it twice is harmless (P1).

        `owner`: the execution that is about to start, or the message, that it is put for before any row says so. Named
        by that too: a purge of what was there before leaves it.
        """

    @abstractmethod
    async def get_payload(self, payload: Payload) -> bytes:
        """The data of a payload, wherever it is. Raises StorageError when its blob is gone."""

    @abstractmethod
    async def quarantine(self, message: Quarantined) -> None:
        """Keep a message that cannot be processed (P11). Keyed by its id, so doing it twice is harmless."""

    @abstractmethod
    async def write_journal(self, journal: Journal, *, replacing: str | None = None) -> bool:
        """Write what a process holds, over what it wrote before; with `replacing` only over the journal with that etag.

        False: that one has changed or is gone, and nothing of ours is to be seen. Repeatable: the newest content wins.
        After an unknown outcome of a replacement the caller gets False at worst, and looks again.
        """

    @abstractmethod
    async def delete_journal(self, process_id: str) -> None:
        """Delete the journal of a process. One that is gone is no error."""

    @abstractmethod
    async def journals(self) -> Sequence[KeptJournal]:
        """The journals of all processes, whole.

        One whose messages are gone or cannot be read comes empty, with its time: they are in their queues as well, and
        come back when their leases end.
        """

    @abstractmethod
    async def withdraw(self, work_items: Sequence[str], time: datetime) -> None:
        """Note that nobody waits for these work items (message ids) any more, from `time` on (aware UTC).

        Not atomic: after an error some may be noted. Keyed by id: noting one twice is harmless. Kept until `sweep`
        takes what is older than any delivery can be.
        """

    @abstractmethod
    async def withdrawn(self, since: datetime) -> frozenset[str]:
        """Ids of the work items withdrawn at or after `since`."""

    @abstractmethod
    async def claim(self, instance_id: str, work_item: str, claimant: str) -> bool:
        """Note, once and for all, that a work item (a message id) of an instance has begun. True: it had not.

        After an unknown outcome the provider reads the claim back: one by our claimant is our own, and counts as
        success, so that a claimant may ask again. `purge` removes the claims of its instance, `prune` old ones.
        """

    @abstractmethod
    async def write_progress(self, report: Report) -> None:
        """Keep how far an activity is, in the place of what was kept of its work item before.

        Keyed by instance and work item: the newest content wins, so doing it twice is harmless. Goes as claims go, or
        by `delete_progress`. `report.value` is inline and no longer than `inline_limit`.
        """

    @abstractmethod
    async def progress(self, instance_id: str) -> Sequence[Report]:
        """What is kept of the activities of an instance, in any order."""

    @abstractmethod
    async def delete_progress(self, instance_id: str, work_item: str) -> None:
        """Keep nothing of a work item any more. Gone already is done."""

    @abstractmethod
    async def hold_affinity(self, name: str, holder: str, lease: timedelta) -> str:
        """Have a process hold an affinity for `lease` from now, unless another one does; return who holds it.

        Held by `holder` already, it is held anew. After an unknown outcome the caller asks again: its own is its own.
        """

    @abstractmethod
    async def release_affinity(self, name: str, holder: str) -> None:
        """Have a process hold an affinity no more. Gone, or held by another one, is no error."""

    @abstractmethod
    async def oldest_work(self, tag: str = "") -> datetime | None:
        """When the oldest visible message of a work-item queue was put there, by the store's clock, to the second.

        Oldest is what a receiver would get next. None when no message is visible. Cheap: one call, and no delivery.
        """

    @abstractmethod
    async def oldest_control(self, partition: int) -> datetime | None:
        """The same of a control queue."""


class Feed(ABC):
    """Where deliveries come from without a Functions trigger: long poll, batch, back-off."""

    @abstractmethod
    async def receive_control(
        self, partition: int, *, limit: int, lease: timedelta, wait: timedelta
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries of a control queue, each leased; empty when nothing came within `wait`.

        A message sent by this very process wakes the call at once.
        """

    @abstractmethod
    async def receive_work(self, *, limit: int, lease: timedelta, wait: timedelta, tag: str = "") -> Sequence[Delivery]:
        """The same for a work-item queue: there is one for each tag, and one for the work items without a tag.

        A tag needs no preparation: `send` may be the first to name it, or this call.
        """


class Catalog(ABC):
    """What people query and clean up: HTTP, CLI, monitor and janitor."""

    @abstractmethod
    async def query(self, where: InstanceFilter, *, limit: int = 100, continuation: str | None = None) -> Page:
        """One page of at most `limit` rows. Raises InvalidInputError for a continuation it did not make."""

    @abstractmethod
    async def count(self, where: InstanceFilter) -> Mapping[RuntimeStatus, int]:
        """How many instances match, by status; statuses without any are absent."""

    @abstractmethod
    async def history(
        self, instance_id: str, execution_id: str | None = None, *, generation: int | None = None
    ) -> Sequence[Turn]:
        """The turns of one execution in order, by default the current one; empty when there are none.

        `generation` is that of the execution, where the caller knows it: it spares the store a search.
        """

    @abstractmethod
    async def purge(self, row: InstanceRow, *, etag: str | None = None) -> None:
        """Delete history and payloads, then the row, so that a crash leaves something to purge again (P10).

        Taken is the execution that `row` names, and what is there of earlier ones while the stored row names it too.
        Nothing of one that starts later is ever taken, under whatever generation and however long the purge stands
        still between two calls; one that has started leaves all as it is. What nobody names any more, of payloads, may
        stay until `sweep`. `etag`: that of the row, if it was read just now, may spare a read of it.

        Claims and progress go with history. Of each execution, also of one that never began, a tombstone stays until
        `sweep` takes it. Repeatable. Deciding whether the instance may be purged is the caller's.
        """

    @abstractmethod
    async def prune(self, instance_id: str, *, below_generation: int, older_than: datetime) -> None:
        """Delete history of executions before `below_generation` that ended before `older_than`, and claims made before
        `older_than` (P7). Never the execution that is current, nor a later one. Repeatable."""

    @abstractmethod
    async def sweep(self, older_than: datetime) -> int:
        """Delete tombstones, and logs without their turn 0, of purges before `older_than` (P3, P10); how many.

        Uncounted: claims, progress and payloads from before then of purged instances without history, and withdrawals
        that are older by MAX_DELIVERY_AGE, because a delivery may outlive a tombstone by that much; affinities that
        nobody holds since `older_than`. Repeatable.
        """

    @abstractmethod
    async def list_quarantined(self, *, limit: int = 100) -> Sequence[Quarantined]:
        """Quarantined messages, oldest first (P11); fewer than `limit` where they are long."""

    @abstractmethod
    async def read_quarantined(self, message_id: str) -> Quarantined | None:
        """One quarantined message, or None (P11)."""

    @abstractmethod
    async def release_quarantined(self, message_id: str, *, replay: bool) -> bool:
        """Delete a quarantined message, after sending it again when `replay`; False when there is none (P11)."""
