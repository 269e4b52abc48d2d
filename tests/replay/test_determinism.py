"""Time, ids and random numbers are the same at every replay; log lines come once."""

from __future__ import annotations

import asyncio
import gc
import logging
import uuid
from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.records.instance import Execution

from .conftest import Begin
from .events import answer, at, completed, facts, started, status, task
from .situation import fresh, registry_of


def test_now_is_the_time_of_the_turn(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[str]:
        first = ctx.now
        await ctx.call_activity("a")
        return [first.isoformat(), ctx.now.isoformat(), ctx.current_utc_datetime.isoformat()]

    situation = begin(main)
    situation.start()
    decided = situation.turn(answer(0), seconds=5)
    assert facts(decided) == facts([completed([at(0).isoformat(), at(5).isoformat(), at(5).isoformat()])])


async def rolls(ctx: OrchestrationContext) -> list[Any]:
    first = [ctx.new_uuid(), ctx.random.random()]
    await ctx.call_activity("a")
    return [*first, ctx.new_uuid(), str(ctx.new_guid()), ctx.random.random()]


def test_ids_and_random_numbers(begin: Begin) -> None:
    situation = begin(rolls)
    situation.start()
    [decided] = facts(situation.turn(answer(0)))
    one, number, two, three, another = decided["result"]["json"]
    assert len({one, two, three}) == 3
    assert number != another
    assert uuid.UUID(one).version == 5


def test_another_execution_rolls_other_numbers() -> None:
    results: list[str] = []
    for execution_id in ("e1", "e2"):
        live = fresh(registry_of(rolls), Execution(instance_id="order-1", execution_id=execution_id))
        live.apply(started(), at(0))
        results.append(str(facts(live.apply(answer(0), at(1)))[-1]["result"]["json"][1]))
    assert len(set(results)) == 2


def test_the_recipe_of_new_uuid_is_fixed(begin: Begin) -> None:
    """That of azure-functions-durable: uuid5 of instance, time and counter in its namespace."""

    async def main(ctx: OrchestrationContext) -> str:
        return ctx.new_uuid()

    namespace = uuid.uuid5(uuid.NAMESPACE_OID, "9e952958-5e33-4daf-827f-2fa12937b875")
    wanted = uuid.uuid5(namespace, "order-1_2030-01-01T12:00:00.000000Z_0")
    assert facts(begin(main).start()) == facts([completed(str(wanted))])


def test_custom_status(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        ctx.set_custom_status({"done": 0})
        await ctx.call_activity("a")
        ctx.set_custom_status("over")

    situation = begin(main)
    assert facts(situation.start()) == facts([status({"done": 0}), task(0, "a")])
    assert facts(situation.turn(answer(0))) == facts([status("over"), completed()])


async def talks(ctx: OrchestrationContext) -> None:
    ctx.logger.info("reserving %d", 2)
    await ctx.call_activity("a")
    ctx.logger.warning("reserved")
    await ctx.call_activity("b")


def test_each_line_is_logged_once(begin: Begin) -> None:
    situation = begin(talks)
    situation.start()
    situation.turn(answer(0))
    assert [(line.level, line.text) for line in situation.logs] == [
        (logging.INFO, "reserving 2"),
        (logging.WARNING, "reserved"),
    ]


def test_a_logger_of_the_app_is_named_with_the_line(begin: Begin) -> None:
    mine = logging.getLogger("shop")

    async def main(ctx: OrchestrationContext) -> None:
        ctx.create_replay_safe_logger(mine).error("no stock")
        try:
            raise ValueError("why")
        except ValueError:
            ctx.logger.exception("with %s", "traceback")

    situation = begin(main)
    situation.start()
    first, second = situation.logs
    assert (first.level, first.text, first.logger) == (logging.ERROR, "no stock", mine)
    assert second.text.startswith("with traceback\nTraceback")
    assert "ValueError: why" in second.text


def test_code_knows_whether_it_replays(begin: Begin) -> None:
    seen: list[bool] = []

    async def main(ctx: OrchestrationContext) -> None:
        seen.append(ctx.is_replaying)
        await ctx.call_activity("a")
        seen.append(ctx.is_replaying)

    situation = begin(main)
    situation.start()
    situation.turn(answer(0))
    assert seen == [False, False]
    situation.verify()
    # Cut after turn 0, 1 and 2, then after input 0, 1 and 2.
    assert seen[2:] == [False, False, True, False, True, True] * 2


def test_complaints_of_the_loop_are_logged(begin: Begin) -> None:
    async def forgotten() -> None:
        raise ValueError("nobody asks for me")

    async def main(ctx: OrchestrationContext) -> None:
        asyncio.ensure_future(forgotten())  # noqa: RUF006 - forgotten on purpose
        await ctx.call_activity("a")
        gc.collect()  # asyncio complains when the task goes, and some versions keep it in a cycle
        await ctx.call_activity("b")

    situation = begin(main)
    situation.start()
    situation.turn(answer(0))
    situation.turn(answer(1))
    assert ["nobody asks for me" in line.text for line in situation.logs] == [True]
