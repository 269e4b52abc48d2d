"""What the Instances row says of an entity beside its state: the custom status that DurableTask's rows have."""

from __future__ import annotations

import msgspec

from durable_ext.records.payloads import Payload, inline


class EntitySummary(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the entity has a state, how many requests wait, the instance that holds its lock, and the lock's name,
    both empty for none."""

    exists: bool = msgspec.field(default=False, name="entityExists")
    waiting: int = msgspec.field(default=0, name="queueSize")
    locked_by: str = msgspec.field(default="", name="lockedBy")
    lock: str = ""

    def to_payload(self) -> Payload:
        """As the custom status of a row."""
        return inline(msgspec.json.encode(self))

    @staticmethod
    def of(custom_status: Payload | None) -> EntitySummary:
        """From the custom status of a row; of a row without one, an entity that does not exist."""
        return EntitySummary() if custom_status is None else _decoder.decode(custom_status.data)


_decoder = msgspec.json.Decoder(EntitySummary)
