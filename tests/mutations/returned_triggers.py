"""Breaks of what holds for a trigger that came back: it is settled behind a closing turn (P2, P6)."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

_WORKER = "durable_ext/worker/"
_CLOSING = ("tests/scenarios/test_closing_turns.py",)

RETURNED_MUTATIONS = (
    Mutation(
        "P6",
        "a trigger that came back is settled without its closing turn",
        _WORKER + "returned.py",
        "        await close(self._services, state, item.message.id)\n",
        "",
        _CLOSING,
    ),
    Mutation(
        "P6",
        "what came in before the closing turn is not paid for",
        _WORKER + "session.py",
        "                self._lose_turn()\n                await self._process([])\n",
        "                self._lose_turn()\n",
        _CLOSING,
    ),
    Mutation(
        "P6",
        "turns under a trigger that came back are somebody else's",
        _WORKER + "returned.py",
        "        return turn.trigger_id in came_back\n",
        "        return False\n",
        _CLOSING,
    ),
    Mutation(
        "P6",
        "who had the trigger goes on although it is closed",
        _WORKER + "returned.py",
        "        if await self._is_closed(state, trigger.message.id, taken_at):\n",
        "        if False:\n",
        _CLOSING,
    ),
    Mutation(
        "P6",
        "a message that came back beside the trigger is settled without its closing turn",
        _WORKER + "session.py",
        "            if self._broken is None and closes:\n",
        "            closes = False\n            if self._broken is None and closes:\n",
        _CLOSING,
    ),
    Mutation(
        "P6",
        "a trigger that came once pays for a closing turn",
        _WORKER + "returned.py",
        "not item.came_back or ",
        "",
        _CLOSING,
    ),
)
