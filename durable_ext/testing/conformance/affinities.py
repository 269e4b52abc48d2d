"""Sessions of activities: at any time one process holds one, for as long as it renews its lease."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_ext.errors import StorageError
from durable_ext.testing.conformance.samples import AFTER_SHORT_LEASE, LEASE, SHORT_LEASE, many
from durable_ext.testing.conformance.store import Conformance, Store, losing_answers, on_store

_NAMES = ("a", "A", "a b", "ä/ö\\#?", "x" * 256, "' OR 1=1 --", "^")


class AffinityConformance(Conformance):
    """hold_affinity, release_affinity."""

    @on_store
    async def test_who_comes_first_holds_it(self, store: Store) -> None:
        hold = store.provider.hold_affinity
        assert await hold("s", "one", LEASE) == "one"
        assert await hold("s", "other", LEASE) == "one"
        assert await hold("s", "one", LEASE) == "one"
        assert await hold("t", "other", LEASE) == "other"
        assert await hold("t", "one", LEASE) == "other"

    @on_store
    async def test_when_its_lease_is_over_another_one_takes_it(self, store: Store) -> None:
        hold = store.provider.hold_affinity
        await hold("s", "one", SHORT_LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert await hold("s", "other", LEASE) == "other"
        assert await hold("s", "one", LEASE) == "other", "who was late does not take it back"

    @on_store
    async def test_its_holder_takes_up_what_has_run_out(self, store: Store) -> None:
        hold = store.provider.hold_affinity
        await hold("s", "one", SHORT_LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert await hold("s", "one", LEASE) == "one"
        assert await hold("s", "other", LEASE) == "one"

    @on_store
    async def test_a_renewed_lease_lasts_longer(self, store: Store) -> None:
        hold = store.provider.hold_affinity
        await hold("s", "one", SHORT_LEASE)
        await hold("s", "one", LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        assert await hold("s", "other", LEASE) == "one"

    @on_store
    async def test_what_is_released_is_free(self, store: Store) -> None:
        hold, release = store.provider.hold_affinity, store.provider.release_affinity
        await hold("s", "one", LEASE)
        await release("s", "other")
        assert await hold("s", "other", LEASE) == "one", "only its holder lets it go"
        await release("s", "one")
        await release("s", "one")
        await release("never held", "one")
        assert await hold("s", "other", LEASE) == "other"

    @on_store
    async def test_of_many_at_once_one_gets_it(self, store: Store) -> None:
        names = [f"process-{number}" for number in range(4)]
        holders = await many(store.provider.hold_affinity("s", name, LEASE) for name in names)
        assert len(set(holders)) == 1
        assert holders[0] in names

    @on_store
    async def test_odd_names_are_kept_apart(self, store: Store) -> None:
        for number, name in enumerate(_NAMES):
            assert await store.provider.hold_affinity(name, f"p{number}", LEASE) == f"p{number}"
        for number, name in enumerate(_NAMES):
            assert await store.provider.hold_affinity(name, "other", LEASE) == f"p{number}"

    @on_store
    async def test_a_lost_answer_is_found_out_by_asking_again(self, store: Store) -> None:
        lossy = losing_answers(store.provider, "hold_affinity")
        with pytest.raises(StorageError):
            await lossy.hold_affinity("s", "one", LEASE)
        assert await lossy.hold_affinity("s", "one", LEASE) == "one"
        assert await store.provider.hold_affinity("s", "other", LEASE) == "one"

    @on_store
    async def test_a_sweep_leaves_what_is_held(self, store: Store) -> None:
        """What ran out can be held anew afterwards, whether the store took it or not."""
        hold = store.provider.hold_affinity
        await hold("old", "one", SHORT_LEASE)
        await hold("held", "one", LEASE)
        await store.pass_time(AFTER_SHORT_LEASE)
        await store.catalog.sweep(store.clock() - timedelta(milliseconds=1))
        assert await hold("held", "other", LEASE) == "one"
        assert await hold("old", "other", LEASE) == "other"
