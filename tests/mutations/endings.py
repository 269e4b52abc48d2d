"""Breaks of what ends an instance without its code, and of what says that one is stuck."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

_WORKER = "durable_ext/worker/"
_SCENARIOS = "tests/scenarios/"

ENDING_MUTATIONS = (
    Mutation(
        "ending",
        "a termination runs the code",
        _WORKER + "deciding.py",
        "    if is_ending(inputs):\n        return await services.terminations.decide(state, inputs)\n",
        "",
        (_SCENARIOS + "test_ending_without_code.py",),
    ),
    Mutation(
        "ending",
        "a history that cannot be read keeps the instance",
        _WORKER + "terminations.py",
        "        if why.retryable or not asked:\n",
        "        if True:\n",
        (_SCENARIOS + "test_ending_without_code.py",),
    ),
    Mutation(
        "ending",
        "children of a damaged instance are not told",
        _WORKER + "terminations.py",
        "            await self._provider.send([self._to_child(row, child, body) for child in children])\n",
        "            pass\n",
        (_SCENARIOS + "test_ending_without_code.py",),
    ),
    Mutation(
        "ending",
        "the termination of a purge by force means whoever has the id",
        _WORKER + "client/forcing.py",
        "            execution_id=execution.execution_id or None,\n",
        "",
        (_SCENARIOS + "test_purge_by_force.py",),
    ),
    Mutation(
        "ending",
        "a purge by force that dies behind its commit leaves nobody to settle it",
        _WORKER + "client/forcing.py",
        "        await self._provider.send([guard])\n",
        "",
        (_SCENARIOS + "test_purge_by_force.py", _SCENARIOS + "test_ending_without_code.py"),
    ),
    Mutation(
        "ending",
        "a start begins without a look at its row however old it is",
        _WORKER + "state.py",
        "now - message.sent_at < _FRESH",
        "now - (message.due or message.sent_at) < _FRESH",
        (_SCENARIOS + "test_ending_without_code.py",),
    ),
    Mutation(
        "stuck",
        "the row does not say so",
        _WORKER + "deferral.py",
        "        await self._services.projector.mark(message.instance_id, stuck)\n",
        "",
        (_SCENARIOS + "test_stuck.py",),
    ),
    Mutation(
        "stuck",
        "a turn from before the mark ends it",
        "durable_ext/replay/fold.py",
        "turn.time > stuck.since and turn.events",
        "turn.events",
        (_SCENARIOS + "test_stuck.py",),
    ),
)
