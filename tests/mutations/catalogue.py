"""Deliberate breaks of the engine, rule by rule, each with the tests that notice it (T7)."""

from __future__ import annotations

from tests.mutations.bounds import BOUND_MUTATIONS
from tests.mutations.endings import ENDING_MUTATIONS
from tests.mutations.entities import ENTITY_MUTATIONS
from tests.mutations.mutation import Mutation
from tests.mutations.other_rules import OTHER_MUTATIONS
from tests.mutations.purges import PURGE_MUTATIONS
from tests.mutations.returned_triggers import RETURNED_MUTATIONS

_AZURE = "durable_ext/providers/azure_storage/"
_WORKER = "durable_ext/worker/"
_REPLAY = "durable_ext/replay/"
_SCENARIOS = "tests/scenarios/"
_DOUBLE = "tests/storage_double/test_conformance.py"
_CRASHES = "tests/storage_double/test_crash_points.py"


MUTATIONS = (
    Mutation(
        "P1",
        "a long turn is inserted before its blob is put",
        _AZURE + "history.py",
        "            await self._blobs.put(str(entity[turn_rows.BLOB]), overflow)\n        try:\n"
        "            await self._client.insert_entity(self._table, entity)\n",
        "            pass\n        try:\n            await self._client.insert_entity(self._table, entity)\n"
        "            if overflow is not None:\n"
        "                await self._blobs.put(str(entity[turn_rows.BLOB]), overflow)\n",
        (_CRASHES, "-k", "long and turns and cached"),
    ),
    Mutation(
        "P2",
        "a turn is put over another one",
        _AZURE + "history.py",
        "await self._client.insert_entity(self._table, entity)",
        "await self._client.put_entity(self._table, entity)",
        (_DOUBLE, "-k", "turn"),
    ),
    Mutation(
        "P2",
        "a process that lost a turn goes on as if it had won",
        _WORKER + "committing.py",
        "    await services.provider.append(turn)\n    state.record(turn)\n    with told",
        "    from durable_ext.errors import TurnLostError\n\n"
        "    try:\n        await services.provider.append(turn)\n"
        "    except TurnLostError:\n        pass\n    state.record(turn)\n    with told",
        (_SCENARIOS + "test_interleavings.py", _SCENARIOS + "test_sessions.py"),
    ),
    Mutation(
        "P3",
        "a log without its turn 0 is history",
        _AZURE + "history.py",
        "turn_rows.number_of(self.entities[0]) == 0 and not self.is_buried",
        "not self.is_buried",
        (_DOUBLE,),
    ),
    Mutation(
        "P3",
        "a turn may leave a gap behind it",
        _WORKER + "committing.py",
        "        number=state.ledger.turns,\n        events=await",
        "        number=2 * state.ledger.turns,\n        events=await",
        (_SCENARIOS + "test_debts.py", _SCENARIOS + "test_sessions.py"),
    ),
    Mutation(
        "P4",
        "what a turn asks for begins before the turn is committed",
        _WORKER + "committing.py",
        "    await services.provider.append(turn)\n    state.record(turn)\n    with told",
        "    import asyncio\n\n"
        "    asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(services.provider.append(turn)))\n"
        "    state.record(turn)\n    with told",
        (_SCENARIOS + "test_known_failures.py",),
    ),
    Mutation(
        "P4",
        "sending again sends another message",
        _REPLAY + "outbox.py",
        "        id=message_id(turn.execution, turn.number, position),\n",
        "        id=message_id(turn.execution, turn.number, position) + str(__import__('random').random()),\n",
        (_SCENARIOS + "test_debts.py", _SCENARIOS + "test_repeats.py", "tests/replay/test_outbox.py"),
    ),
    Mutation(
        "P5",
        "the trigger is let go with its first turn",
        _WORKER + "committing.py",
        "    state.record(turn)\n    with told",
        "    state.record(turn)\n    trigger.settle()\n    with told",
        (_SCENARIOS + "test_debts.py",),
    ),
    Mutation(
        "P5",
        "the outcome of local work does not hold the trigger",
        _WORKER + "session.py",
        "        self._answers.add(item)\n",
        "",
        (_SCENARIOS + "test_interleavings.py", _SCENARIOS + "test_sessions.py", _SCENARIOS + "test_debts.py"),
    ),
    Mutation(
        "P6",
        "a message that comes again repairs nothing",
        _WORKER + "session.py",
        "        for repair in admitted.repairs:\n",
        "        for repair in ():\n",
        (_SCENARIOS + "test_debts.py",),
    ),
    Mutation(
        "P6",
        "what has its outcome is sent again all the same",
        _REPLAY + "ledger.py",
        "            case _:\n                return owed.task_id not in self._answered\n",
        "            case _:\n                return True\n",
        (_SCENARIOS + "test_debts.py", "tests/replay/test_ledger.py"),
    ),
    Mutation(
        "P6",
        "the start of a child that has ended is not repaired",
        _REPLAY + "ledger.py",
        "            case messages.StartExecution():\n                return True\n",
        "",
        ("tests/replay/test_ledger.py", "tests/simulation/test_found.py", "-k", "owed or elsewhere"),
    ),
    Mutation(
        "P7",
        "a message is news however often it comes",
        _REPLAY + "ledger.py",
        "        if message.id in self._consumed:\n            return Verdict.KNOWN\n",
        "",
        (_SCENARIOS + "test_repeats.py", _SCENARIOS + "test_commands.py"),
    ),
    Mutation(
        "P7",
        "earlier executions are not asked",
        _WORKER + "earlier.py",
        "    if current.has_consumed(message_id) or current.has_closed(message_id) or state.previous is None:\n",
        "    if current is state.ledger:\n",
        (_SCENARIOS + "test_commands.py", _SCENARIOS + "test_repeats.py", _SCENARIOS + "test_debts.py"),
    ),
    Mutation(
        "P7",
        "an execution without a history has none before it",
        _WORKER + "state.py",
        "return self.row.previous if started is None else started.previous",
        "return None if started is None else started.previous",
        (_SCENARIOS + "test_replaced_instances.py",),
    ),
    Mutation(
        "P8",
        "an older status is written over a newer one",
        _WORKER + "projection.py",
        "                if stored.row.position > row.position:\n"
        '                    return ""  # no etag: the next write has to look again\n',
        "",
        (_SCENARIOS + "test_rows.py", _SCENARIOS + "test_known_failures.py"),
    ),
    Mutation(
        "P8",
        "nobody notices that a row lags",
        _WORKER + "state.py",
        "    state.row_lags = bool(lag)\n",
        "",
        (_SCENARIOS + "test_rows.py",),
    ),
    Mutation(
        "P9",
        "the janitor leaves starts that were not sent",
        _WORKER + "janitor.py",
        "self._do((watch, starts, rows, entities,",
        "self._do((watch, rows, entities,",
        (_SCENARIOS + "test_starts.py", _SCENARIOS + "test_later_starts.py"),
    ),
    Mutation(
        "P9",
        "a start that is there already is put over",
        _AZURE + "instances.py",
        "await self._client.insert_entity(self._names.instances, entity)",
        "await self._client.put_entity(self._names.instances, entity)",
        (_DOUBLE,),
    ),
    Mutation(
        "P9",
        "a child that was refused begins when its start comes again",
        _WORKER + "deferral.py",
        "        await self._services.provider.claim(body.parent.instance_id, _refusal_of(message), _REFUSED)\n",
        "",
        (_SCENARIOS + "test_starts.py", "-k", "comes_free"),
    ),
    Mutation(
        "P11",
        "what nobody can read is dropped",
        _WORKER + "worker.py",
        "            await self._giving_up.keep_defect(delivery)\n            return\n",
        "            return\n",
        (_SCENARIOS + "test_quarantine.py",),
    ),
    Mutation(
        "P11",
        "an activity that cannot be run waits for ever",
        _WORKER + "giving_up.py",
        "            await self._services.provider.send([self._failed_task(message, body, attempts, why, error)])\n",
        "            return\n",
        (_SCENARIOS + "test_quarantine.py", _SCENARIOS + "test_worn_out.py"),
    ),
    Mutation(
        "P11",
        "how often a message was handed out counts as failures",
        _WORKER + "worker.py",
        "        async with self._noted.noting(message) as unended:\n",
        "        async with self._noted.noting(message) as unended:\n            unended += delivery.dequeue_count\n",
        (_SCENARIOS + "test_lost_leases.py",),
    ),
    Mutation(
        "P11",
        "what the host gave up is given up",
        _WORKER + "worker.py",
        "            await self.provider.send(again)\n",
        "            pass\n",
        (_SCENARIOS + "test_lost_leases.py",),
    ),
    Mutation(
        "P11",
        "an attempt that ends its process leaves nothing behind",
        _WORKER + "attempts.py",
        "                await self._write(message, note)\n",
        "",
        (_SCENARIOS + "test_worn_out.py",),
    ),
    Mutation(
        "P11",
        "what an operator replays has the attempts of before against it",
        _WORKER + "attempts.py",
        "        for note, _ in await self._of_others(message):\n",
        "        for note, _ in ():\n",
        (_SCENARIOS + "test_worn_out.py",),
    ),
    Mutation(
        "P11",
        "an attempt that ended keeps its note",
        _WORKER + "attempts.py",
        "                await self._delete(message.instance_id, note)\n",
        "                pass\n",
        (_SCENARIOS + "test_lost_leases.py",),
    ),
    Mutation(
        "P11",
        "an attempt of a living process counts",
        _WORKER + "attempts.py",
        "sum(process not in living for _, process in found)",
        "len(found)",
        (_SCENARIOS + "test_lost_leases.py",),
    ),
    Mutation(
        "P11",
        "a bystander is tried beside what ends its process, to the last",
        _WORKER + "attempts.py",
        "self._by_itself(unended > 0 and left <= _FEW_CHANCES)",
        "self._by_itself(False)",
        (_SCENARIOS + "test_worn_out.py",),
    ),
    Mutation(
        "P11",
        "an attempt that failed is not counted",
        _WORKER + "giving_up.py",
        "failures=message.failures + 1)",
        "failures=message.failures)",
        (_SCENARIOS + "test_quarantine.py",),
    ),
    Mutation(
        "P12",
        "a message ahead of its cause is dropped",
        _WORKER + "admission.py",
        "            await self._deferral.put_off(item, admitted.starts_at)\n",
        "            continue\n",
        (_SCENARIOS + "test_later_starts.py", _SCENARIOS + "test_commands.py"),
    ),
    Mutation(
        "P12",
        "waiting has no bound",
        _WORKER + "deferral.py",
        "_MOST_DEFERRALS = 100\n",
        "_MOST_DEFERRALS = 10**9\n",
        (_SCENARIOS + "test_debts.py", _SCENARIOS + "test_quarantine.py"),
    ),
    Mutation(
        "P13",
        "an insert whose answer was lost counts as somebody else's",
        _AZURE + "history.py",
        'found.entity.get("CommitId") != turn.commit_id',
        'found.entity.get("CommitId") != ""',
        (_DOUBLE,),
    ),
    Mutation(
        "P13",
        "a start whose answer was lost counts as somebody else's",
        _AZURE + "instances.py",
        "        own = await self._own_etag(row)\n        if own is None:\n            raise InstanceExistsError(",
        "        own = None\n        if own is None:\n            raise InstanceExistsError(",
        (_DOUBLE,),
    ),
    *PURGE_MUTATIONS,
    *RETURNED_MUTATIONS,
    *OTHER_MUTATIONS,
    *ENTITY_MUTATIONS,
    *ENDING_MUTATIONS,
    *BOUND_MUTATIONS,
)
