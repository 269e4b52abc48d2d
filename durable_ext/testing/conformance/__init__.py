"""What every provider must pass: classes to inherit (T2). No skip and no override.

    class TestOurStore(ProviderConformance):
        @asynccontextmanager
        async def open_store(self) -> AsyncGenerator[Store]:
            provider = OurProvider(...)
            await provider.create_hub()
            yield Store(provider, provider, provider, pass_time=asyncio.sleep, clock=utc_now)
            await provider.delete_hub()
            await provider.close()

A store that several machines share passes SkewConformance too, which opens two providers of one hub.

Each test opens a store of its own and expects an empty hub. The themes can be inherited one by one, too.
"""

from __future__ import annotations

from durable_ext.testing.conformance.affinities import AffinityConformance
from durable_ext.testing.conformance.backlog import BacklogConformance
from durable_ext.testing.conformance.catalogs import CatalogConformance
from durable_ext.testing.conformance.claims import ClaimConformance
from durable_ext.testing.conformance.cleaning import CleaningConformance
from durable_ext.testing.conformance.fairness import FairnessConformance
from durable_ext.testing.conformance.hubs import HubConformance
from durable_ext.testing.conformance.ids import IdConformance
from durable_ext.testing.conformance.journals import JournalConformance
from durable_ext.testing.conformance.leases import LeaseConformance
from durable_ext.testing.conformance.loading import LoadConformance
from durable_ext.testing.conformance.payloads import PayloadConformance
from durable_ext.testing.conformance.progress import ProgressConformance
from durable_ext.testing.conformance.quarantine import QuarantineConformance
from durable_ext.testing.conformance.queues import QueueConformance
from durable_ext.testing.conformance.rows import RowConformance
from durable_ext.testing.conformance.skew import SkewConformance
from durable_ext.testing.conformance.store import Conformance, Store
from durable_ext.testing.conformance.tags import TagConformance
from durable_ext.testing.conformance.turns import TurnConformance
from durable_ext.testing.conformance.values import ValueConformance
from durable_ext.testing.conformance.withdrawals import WithdrawalConformance

__all__ = [
    "AffinityConformance",
    "BacklogConformance",
    "CatalogConformance",
    "ClaimConformance",
    "CleaningConformance",
    "Conformance",
    "FairnessConformance",
    "HubConformance",
    "IdConformance",
    "JournalConformance",
    "LeaseConformance",
    "LoadConformance",
    "PayloadConformance",
    "ProgressConformance",
    "ProviderConformance",
    "QuarantineConformance",
    "QueueConformance",
    "RowConformance",
    "SkewConformance",
    "Store",
    "TagConformance",
    "TurnConformance",
    "ValueConformance",
    "WithdrawalConformance",
]


class ProviderConformance(
    RowConformance,
    TurnConformance,
    LoadConformance,
    QueueConformance,
    LeaseConformance,
    PayloadConformance,
    CatalogConformance,
    CleaningConformance,
    QuarantineConformance,
    IdConformance,
    JournalConformance,
    WithdrawalConformance,
    ClaimConformance,
    ProgressConformance,
    BacklogConformance,
    FairnessConformance,
    ValueConformance,
    TagConformance,
    AffinityConformance,
    HubConformance,
):
    """All themes in one class, but SkewConformance, which is for stores that several machines share."""
