"""Deliberate breaks around entities."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

_WORKER = "durable_ext/worker/"
_REPLAY = "durable_ext/replay/"
_REST = ("tests/scenarios/test_entities_at_rest.py",)
_ORDER = ("tests/scenarios/test_entity_order.py",)
_VERBS = ("tests/scenarios/test_entity_verbs.py",)

ENTITY_MUTATIONS = (
    Mutation(
        "P12",
        "an entity takes a message before the one its sender sent before",
        _WORKER + "entities/admission.py",
        "    if not after or after in accepted",
        "    if True or after in accepted",
        _ORDER,
    ),
    Mutation(
        "P12",
        "an entity that passes on a request for a lock forgets what comes before it",
        _REPLAY + "outbox.py",
        "    for before in body.after if isinstance(body, RequestLock) else ():\n",
        "    for before in ():\n",
        _ORDER,
    ),
    Mutation(
        "P12",
        "a lock does not come behind what its holder sent before to its other entities",
        _REPLAY + "order.py",
        "            if before:\n",
        "            if False:\n",
        (*_ORDER, "tests/replay/test_entity_order.py"),
    ),
    Mutation(
        "P12",
        "a lock does not come behind what its holder sent before to its first entity",
        _REPLAY + "order.py",
        "        if last is not None:\n",
        "        if last is not None and not isinstance(message.body, RequestLock):\n",
        (*_ORDER, "tests/replay/test_entity_order.py"),
    ),
    Mutation(
        "P12",
        "an entity waits for what it took in an execution long past",
        _WORKER + "entities/admission.py",
        " or message.sent_at - after_at > _REORDER_WINDOW:\n",
        ":\n",
        _ORDER,
    ),
    Mutation(
        "P7",
        "an entity forgets what its earlier executions consumed",
        _WORKER + "entities/past.py",
        "        if ledger.has_consumed(message_id):\n",
        "        if False:\n",
        _REST,
    ),
    Mutation(
        "P2",
        "an operation that failed leaves its changes in the commit",
        _WORKER + "entities/code.py",
        "        if definition.rolls_back:\n",
        "        if not definition.rolls_back:\n",
        _VERBS,
    ),
    Mutation(
        "P12",
        "a locked entity serves everybody",
        _REPLAY + "entity_turn.py",
        "            if not self._lock or lock == self._lock:\n",
        "            if self._lock is not None:\n",
        (*_VERBS, *_REST),
    ),
    Mutation(
        "P4",
        "an execution that ends keeps its locks",
        _REPLAY + "outbox.py",
        "                yield from _released_at_end(turn, position, locks)\n",
        "                yield from ()\n",
        _REST,
    ),
    Mutation(
        "P5",
        "what joined a turn is settled although its trigger is lost",
        _WORKER + "session.py",
        "            for item in joined if self._broken is None and not closes else ():\n",
        "            for item in joined if not closes else ():\n",
        ("tests/scenarios/test_lost_triggers.py",),
    ),
    Mutation(
        "P6",
        "a call of an entity that is gone is never sent again",
        _WORKER + "outstanding.py",
        "            case FireTimer() | RunOperation() | RequestLock() | Resume():\n",
        "            case FireTimer() | Resume():\n",
        ("tests/scenarios/test_lost_messages.py",),
    ),
    Mutation(
        "P7",
        "a repeat that nobody needs goes round for a session held elsewhere",
        _WORKER + "worker.py",
        "        looks = item.repeated and item.message.deferrals & (item.message.deferrals - 1) == 0\n",
        "        looks = False\n",
        ("tests/scenarios/test_affinities.py",),
    ),
    Mutation(
        "P12",
        "each delivery of a message is put off by itself",
        _WORKER + "deferral.py",
        "        if message.deferrals < deferrals and self._services.clock() < waits_until:\n",
        "        if False:\n",
        ("tests/scenarios/test_crash_points.py", "-k", "elsewhere and doubled"),
    ),
    Mutation(
        "P6",
        "who called an entity and comes again hears nothing",
        _WORKER + "entities/past.py",
        "        found = (*ledger.owed_under(message_id), *(() if caller is None else ledger.answer_to(caller)))\n",
        "        found = ledger.owed_under(message_id)\n",
        ("tests/scenarios/test_crash_points.py", "-k", "several"),
    ),
)
