"""What processes hold: the newest content of each, replaced under its etag, whole whatever its length."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.messages import FinishTask, Message
from durable_ext.records.payloads import inline
from durable_ext.testing.conformance.samples import execution, many, message, started, text, work_item
from durable_ext.testing.conformance.store import Conformance, Store, losing_answers, on_store
from durable_ext.testing.injection import InjectedFaultError

_PROCESS = "host-1/42"
_SECOND = timedelta(seconds=1)
_ODD_IDS = ("host/1", "HOST/1", "a\\b", "a#b?c", "it's", "x" * 600, "é", "e\u0301", "a%2Fb", "^a", "..", " ", "😀", "")


def _journal(
    store: Store, *, process: str = _PROCESS, after: int = 0, messages: Sequence[Message] | None = None
) -> Journal:
    now = store.clock()
    held = (message("order-1", after, now), work_item("order-2", after, now)) if messages is None else tuple(messages)
    return Journal(process_id=process, time=now + after * _SECOND, messages=held)


def _long(store: Store, letter: str, count: int = 40, *, process: str = _PROCESS) -> Journal:
    """A journal that no row holds, told from others by the letter."""
    data = inline(b'"' + letter.encode() * 30_000 + b'"')
    body = FinishTask(task_id=1, result=data)
    messages = [message("order-1", number, store.clock(), body=body) for number in range(count)]
    return _journal(store, process=process, messages=messages)


async def _only(store: Store) -> KeptJournal:
    (kept,) = await store.provider.journals()
    return kept


class JournalConformance(Conformance):
    """write_journal, delete_journal, journals."""

    @on_store
    async def test_nobody_holds_anything_at_first(self, store: Store) -> None:
        assert list(await store.provider.journals()) == []

    @on_store
    async def test_a_journal_comes_back_as_it_was(self, store: Store) -> None:
        one = _journal(store)
        assert await store.provider.write_journal(one)
        assert (await _only(store)).journal == one

    @on_store
    async def test_an_empty_journal_keeps_its_time(self, store: Store) -> None:
        one = _journal(store, messages=())
        assert await store.provider.write_journal(one)
        assert (await _only(store)).journal == one

    @on_store
    async def test_the_newest_content_wins(self, store: Store) -> None:
        for one in (_journal(store), _journal(store, after=9), _journal(store, after=5, messages=())):
            assert await store.provider.write_journal(one)
            assert (await _only(store)).journal == one

    @on_store
    async def test_a_long_journal_is_whole(self, store: Store) -> None:
        """Hundreds of messages with payloads as long as messages carry."""
        one = _long(store, "a", 300)
        assert await store.provider.write_journal(one)
        assert (await _only(store)).journal == one

    @on_store
    async def test_a_journal_grows_and_shrinks(self, store: Store) -> None:
        for one in (_journal(store), _long(store, "a"), _long(store, "b"), _journal(store, after=3), _long(store, "a")):
            assert await store.provider.write_journal(one)
            assert (await _only(store)).journal == one

    @on_store
    async def test_a_reader_finds_one_content_or_the_other(self, store: Store) -> None:
        """However it falls between the steps of a write."""
        contents = [_long(store, "a", 3), _long(store, "b", 3), _journal(store)]
        await store.provider.write_journal(contents[0])
        is_over = False

        async def read() -> int:
            count = 0
            while not is_over:
                assert (await _only(store)).journal in contents
                count += 1
            return count

        reader = asyncio.create_task(read())
        for number in range(12):
            assert await store.provider.write_journal(contents[number % 3])
        is_over = True
        assert await reader > 0

    @on_store
    async def test_odd_process_ids_are_kept_apart(self, store: Store) -> None:
        written = [_journal(store, process=one, after=number) for number, one in enumerate(_ODD_IDS)]
        for one in written:
            assert await store.provider.write_journal(one)
        found = {kept.journal.process_id: kept.journal for kept in await store.provider.journals()}
        assert found == {one.process_id: one for one in written}
        for one in _ODD_IDS[::2]:
            await store.provider.delete_journal(one)
        assert {kept.journal.process_id for kept in await store.provider.journals()} == set(_ODD_IDS[1::2])

    @on_store
    async def test_all_of_many_processes_are_found(self, store: Store) -> None:
        written = [_journal(store, process=f"host-{number}", messages=()) for number in range(130)]
        assert all(await many(store.provider.write_journal(one) for one in written))
        found = [kept.journal.process_id for kept in await store.provider.journals()]
        assert sorted(found) == sorted(one.process_id for one in written)

    @on_store
    async def test_a_deleted_journal_is_gone(self, store: Store) -> None:
        for one in (_journal(store), _long(store, "a")):
            await store.provider.write_journal(one)
            await store.provider.write_journal(_journal(store, process=_PROCESS + "0"))
            await store.provider.delete_journal(_PROCESS)
            assert (await _only(store)).journal.process_id == _PROCESS + "0"
            await store.provider.delete_journal(_PROCESS)
        await store.provider.delete_journal("nobody")

    @on_store
    async def test_a_replacement_needs_the_etag(self, store: Store) -> None:
        await store.provider.write_journal(_journal(store))
        first = await _only(store)
        new = _journal(store, after=1)
        assert await store.provider.write_journal(new, replacing=first.etag)
        second = await _only(store)
        assert second.journal == new
        assert not await store.provider.write_journal(_journal(store, after=2), replacing=first.etag)
        assert await _only(store) == second
        assert await store.provider.write_journal(_journal(store, after=3), replacing=second.etag)

    @on_store
    async def test_the_same_content_again_is_another_etag(self, store: Store) -> None:
        one = _journal(store)
        await store.provider.write_journal(one)
        first = await _only(store)
        assert await store.provider.write_journal(one)
        assert (await _only(store)).etag != first.etag
        assert not await store.provider.write_journal(one, replacing=first.etag)

    @on_store
    async def test_an_etag_nobody_gave_out_replaces_nothing(self, store: Store) -> None:
        one = _journal(store)
        await store.provider.write_journal(one)
        for etag in ("", "0", "none", "*", 'W/"none"'):
            assert not await store.provider.write_journal(_journal(store, after=1), replacing=etag)
        assert (await _only(store)).journal == one

    @on_store
    async def test_what_is_gone_is_not_replaced(self, store: Store) -> None:
        one = _journal(store)
        await store.provider.write_journal(one)
        etag = (await _only(store)).etag
        await store.provider.delete_journal(_PROCESS)
        assert not await store.provider.write_journal(one, replacing=etag)
        assert list(await store.provider.journals()) == []
        await store.provider.write_journal(one)
        assert not await store.provider.write_journal(_journal(store, after=1), replacing=etag)
        assert (await _only(store)).journal == one

    @on_store
    async def test_of_two_replacements_one_wins(self, store: Store) -> None:
        """And the loser's content is nowhere to be seen, however long it is."""
        for kinds in (("a", "b"), ("b", "a")):
            await store.provider.write_journal(_journal(store))
            etag = (await _only(store)).etag
            contents = [_long(store, letter, 3) for letter in kinds]
            won = await asyncio.gather(*(store.provider.write_journal(one, replacing=etag) for one in contents))
            assert sorted(won) == [False, True]
            assert (await _only(store)).journal == contents[won.index(True)]

    @on_store
    async def test_a_late_replacement_changes_nothing(self, store: Store) -> None:
        """The process lived after all, and has written since."""
        await store.provider.write_journal(_journal(store))
        etag = (await _only(store)).etag
        alive = _long(store, "a", 3)
        await store.provider.write_journal(alive)
        assert not await store.provider.write_journal(_long(store, "b", 3), replacing=etag)
        assert (await _only(store)).journal == alive

    @on_store
    async def test_a_write_whose_answer_was_lost_is_repeated(self, store: Store) -> None:
        for one in (_journal(store), _long(store, "a", 3)):
            faulty = losing_answers(store.provider, "write_journal", "delete_journal")
            with pytest.raises(InjectedFaultError):
                await faulty.write_journal(one)
            assert await faulty.write_journal(one)
            assert (await _only(store)).journal == one
            with pytest.raises(InjectedFaultError):
                await faulty.delete_journal(_PROCESS)
            await faulty.delete_journal(_PROCESS)
            assert list(await store.provider.journals()) == []

    @on_store
    async def test_a_replacement_whose_answer_was_lost_is_found(self, store: Store) -> None:
        await store.provider.write_journal(_journal(store))
        etag, new = (await _only(store)).etag, _journal(store, after=1)
        faulty = losing_answers(store.provider, "write_journal")
        with pytest.raises(InjectedFaultError):
            await faulty.write_journal(new, replacing=etag)
        assert not await faulty.write_journal(new, replacing=etag)
        kept = await _only(store)
        assert kept.journal == new
        assert await faulty.write_journal(_journal(store, after=2), replacing=kept.etag)

    @on_store
    async def test_a_journal_is_nobodys_history(self, store: Store) -> None:
        ids = ("^processes", _PROCESS.replace("/", "-"))
        for instance_id in ids:
            await started(store, execution(instance_id))
        await store.provider.write_journal(_long(store, "a", 3))
        payload = await store.provider.put_payload("^processes", text(50_000).data)
        for instance_id in ids:
            assert len((await store.provider.load(instance_id)).turns) == 1
            assert len(await store.provider.consumed(instance_id)) == 1
        await store.provider.delete_journal(_PROCESS)
        assert len((await store.provider.load("^processes")).turns) == 1
        assert await store.provider.get_payload(payload) == text(50_000).data
