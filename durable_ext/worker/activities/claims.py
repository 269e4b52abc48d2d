"""Who may begin an activity that runs at most once: whoever claims its work item first.

The claim outlives every process, so a second delivery of a work item finds it. Whose it is when the answer to a claim
was lost, the provider finds out by the claimant (P13); so who asks again after an error asks as the same one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from durable_ext.errors import LeaseLostError
from durable_ext.providers.contract import VersionedRow
from durable_ext.records.messages import Message

# Instance id, id of the work item, claimant; whether it is the first.
Claim = Callable[[str, str, str], Awaitable[bool]]
ReadRow = Callable[[str], Awaitable[VersionedRow | None]]
_MOST_UNSURE = 1000


class Claims:
    """The claims of this process. `next_claimant` makes names no other process makes, and none twice."""

    def __init__(self, claim: Claim, read_row: ReadRow, next_claimant: Callable[[], str]) -> None:
        self._claim = claim
        self._read_row = read_row
        self._next_claimant = next_claimant
        self._unsure: dict[str, str] = {}  # claimants whose claim may have taken effect although it failed

    async def is_first(self, message: Message) -> bool:
        """Whether this run is the first of its work item.

        Raises StorageError, and LeaseLostError when the instance was purged; nobody may run it then.
        """
        # Taken out, so that of two deliveries at once only one asks under the old name.
        claimant = self._unsure.pop(message.id, None) or self._next_claimant()
        try:
            is_first = await self._claim(message.instance_id, message.id, claimant)
            # A purge takes claims with it, and a late copy would find none. So the row is looked at behind the claim.
            is_gone = is_first and await self._read_row(message.instance_id) is None
        except BaseException:
            if len(self._unsure) >= _MOST_UNSURE:
                del self._unsure[next(iter(self._unsure))]
            self._unsure[message.id] = claimant
            raise
        if is_gone:
            raise LeaseLostError(f"work item {message.id}: its instance was purged")
        return is_first
