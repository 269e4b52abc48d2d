"""Small orchestrations that between them use every kind of decision; each ends with a known output."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.http_calls import HTTP_ACTIVITY
from durable_ext.authoring.payload import Converter
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError

from .engine import pause


async def add_one(value: int) -> int:
    return value + 1


async def refuse(value: int) -> int:
    raise ValueError(f"no {value}")


async def racing(ctx: OrchestrationContext, value: int) -> list[Any]:
    """Composites of composites: one task stands in several; an event and a timer lose, and are cancelled."""
    one, two = ctx.call_activity(add_one, value), ctx.call_activity(add_one, value + 1, placement="queue")
    both, either = ctx.task_all([one, two]), ctx.task_any([one, two])
    never, deadline = ctx.wait_for_external_event("never"), ctx.create_timer(timedelta(minutes=30))
    whole = ctx.task_all([both, either])
    winner = await ctx.task_any([never, whole, deadline])
    for loser in (never, deadline):
        loser.cancel()
    done = await ctx.task_any([two, one])
    return [winner is whole, await both, (await either) in (one, two), done is two]


async def chain(ctx: OrchestrationContext, value: int) -> int:
    for _ in range(3):
        value = await ctx.call_activity(add_one, value)
    return value


async def fan_out(ctx: OrchestrationContext, width: int) -> int:
    """Half of the activities here, half through the queue."""
    calls = [ctx.call_activity(add_one, n, placement="queue" if n % 2 else "auto") for n in range(width)]
    return sum(await asyncio.gather(*calls))


async def sends_out(ctx: OrchestrationContext, _: None) -> list[Any]:
    """Somebody who is no child answers once; the second wait ends with its default."""
    ctx.start_new_orchestration("messenger", ctx.instance_id, instance_id="messenger")
    return [
        await ctx.wait_for_external_event("news"),
        await ctx.wait_for_external_event("news", timeout=timedelta(seconds=30), default="silence"),
    ]


async def messenger(ctx: OrchestrationContext, to: str) -> None:
    ctx.send_event(to, "news", ctx.parent_instance_id)


async def retries(ctx: OrchestrationContext, value: int) -> str:
    policy = RetryPolicy(first_interval=timedelta(seconds=2), max_attempts=3, coefficient=4)
    try:
        return str(await ctx.call_activity(refuse, value, retry=policy))
    except TaskFailedError as error:
        return error.failure.message


async def asking_elsewhere(ctx: OrchestrationContext) -> str:
    """Accepted, and done when it is asked a second time."""
    answer = await ctx.call_http("POST", "https://a.example/start", {"n": 1}, timeout=timedelta(minutes=10))
    return answer.content


async def answer_of_elsewhere(request: dict[str, Any]) -> dict[str, Any]:
    """In place of the activity that every worker has."""
    if request["method"] == "POST":
        return {"statusCode": 202, "headers": {"Location": "/operations/1", "Retry-After": "9"}, "content": ""}
    return {"statusCode": 200, "headers": {}, "content": request["uri"]}


async def parent(ctx: OrchestrationContext, width: int) -> list[int]:
    return await asyncio.gather(*[ctx.call_sub_orchestrator(chain, n) for n in range(width)])


async def twins(ctx: OrchestrationContext) -> list[str]:
    """Two children want one id: one gets it."""
    calls = [ctx.call_sub_orchestrator(approval, instance_id="twin") for _ in range(2)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    return sorted(str(outcome).split(":")[0] for outcome in outcomes)


async def holding(ctx: OrchestrationContext) -> str:
    """Keeps its id for a while, shorter than a message is invisible to others."""
    await ctx.create_timer(timedelta(seconds=10))
    return "held"


async def wants_held(ctx: OrchestrationContext) -> int | str:
    """Its child runs, or it hears that the child does not; never both."""
    try:
        return await ctx.call_sub_orchestrator(chain, 0, instance_id="held")
    except TaskFailedError:
        await ctx.create_timer(timedelta(minutes=5))
        return "refused"


async def approval(ctx: OrchestrationContext) -> str:
    ctx.set_custom_status("waiting")
    try:
        return str(await ctx.wait_for_external_event("approval", timeout=timedelta(minutes=30)))
    except TimeoutError:
        return "late"


async def greeted(ctx: OrchestrationContext) -> list[str]:
    """Its first event comes with the start, and never again."""
    first = str(await ctx.wait_for_external_event("hello"))
    try:
        return [first, str(await ctx.wait_for_external_event("hello", timeout=timedelta(minutes=2)))]
    except TimeoutError:
        return [first]


async def eternal(ctx: OrchestrationContext, seen: list[str]) -> list[str] | None:
    """Three events, each in an execution of its own; a crash may change their order, never their number."""
    seen = [*seen, str(await ctx.wait_for_external_event("tick"))]
    await ctx.call_activity(add_one, len(seen))
    if len(seen) == 3:
        return sorted(seen)
    ctx.continue_as_new(seen)
    return None


async def has_one_that_goes_on(ctx: OrchestrationContext, other: str) -> str | None:
    return await ctx.call_sub_orchestrator(goes_on, [other, 2], instance_id="going on")


async def goes_on(ctx: OrchestrationContext, input_: list[Any]) -> str | None:
    """Tells another something in the last turn of each execution; the last one takes its time."""
    other, left = input_
    ctx.send_event(other, "tick", left)
    if left:
        ctx.continue_as_new([other, left - 1])
        return None
    await asyncio.sleep(90)
    return "told"


async def hears(ctx: OrchestrationContext, times: int) -> list[int]:
    return sorted([await ctx.wait_for_external_event("tick") for _ in range(times)])


async def talker(ctx: OrchestrationContext, other: str) -> str:
    ctx.send_event(other, "approval", "from a friend")
    await asyncio.sleep(90)
    return "sent"


async def passing_on(ctx: OrchestrationContext, other: str) -> int:
    """Hears something while an activity runs, and tells somebody else."""
    counted = ctx.call_activity(count_up, 5)
    ctx.send_event(other, "approval", await ctx.wait_for_external_event("news"))
    return await counted


async def forgetful(ctx: OrchestrationContext) -> str:
    """Asks for an activity and a child, and does not wait."""
    ctx.call_activity(add_one, 1)
    ctx.call_sub_orchestrator(chain, 1)
    return "done"


async def in_queue(ctx: OrchestrationContext, value: int) -> int:
    return await ctx.call_activity(add_one, value, placement="queue")


async def pausing(ctx: OrchestrationContext, value: int) -> int:
    """An activity, a timer and an event; suspended and resumed in between."""
    value = await ctx.call_activity(add_one, value)
    await asyncio.sleep(5)
    value += int(await ctx.wait_for_external_event("more"))
    return await ctx.call_activity(add_one, value)


async def endless(ctx: OrchestrationContext, width: int) -> list[Any]:
    """Children that wait for what never comes; terminated from outside."""
    return await asyncio.gather(*[ctx.call_sub_orchestrator(approval_of_nobody) for _ in range(width)])


async def approval_of_nobody(ctx: OrchestrationContext) -> Any:
    await ctx.call_activity(add_one, 1)
    return await ctx.wait_for_external_event("never")


async def stubborn(ctx: OrchestrationContext, value: int) -> str:
    """A child that fails every time, tried three times."""
    policy = RetryPolicy(first_interval=timedelta(seconds=2), max_attempts=3, coefficient=4)
    try:
        return str(await ctx.call_sub_orchestrator(failing, value, retry=policy))
    except TaskFailedError as error:
        return error.failure.summary


async def failing(ctx: OrchestrationContext, value: int) -> int:
    return await ctx.call_activity(refuse, value)


async def ping(ctx: OrchestrationContext, other: str) -> list[str]:
    """Talks with `pong`: each event answers the one before."""
    heard: list[str] = []
    for number in range(2):
        ctx.send_event(other, "ping", {"from": ctx.instance_id, "number": number})
        heard.append(str(await ctx.wait_for_external_event("pong")))
    return heard


async def pong(ctx: OrchestrationContext) -> int:
    for _ in range(2):
        asked = await ctx.wait_for_external_event("ping")
        ctx.send_event(asked["from"], "pong", f"pong {asked['number']}")
    return 2


async def in_order(ctx: OrchestrationContext, count: int) -> list[str]:
    """Events as they came."""
    return [str(await ctx.wait_for_external_event("tick")) for _ in range(count)]


async def charge(value: int) -> int:
    return value + 1


async def look_it_up(value: int) -> int:
    """What `charge` would have answered, had it been heard."""
    return value + 1


async def dare(value: int) -> int:
    return value + 1


async def dawdle(value: int) -> int:
    await pause(120)
    return value


async def paying(ctx: OrchestrationContext, value: int) -> int:
    """Activities that run at most once, here and through the queue."""
    value = await ctx.call_activity(charge, value)
    return await ctx.call_activity(charge, value, placement="queue")


async def daring(ctx: OrchestrationContext, value: int) -> str:
    """The same, and nobody can tell what came of the first run."""
    try:
        return str(await ctx.call_activity(dare, value))
    except TaskFailedError as error:
        return error.failure.type


async def impatient(ctx: OrchestrationContext, value: int) -> str:
    """Gives up on an activity here and on one in the queue."""
    try:
        async with asyncio.timeout(10):
            await asyncio.gather(ctx.call_activity(dawdle, value), ctx.call_activity(dawdle, value, placement="queue"))
    except TimeoutError:
        return str(await ctx.call_activity(add_one, value))
    return "in time"


class NoStockError(LookupError):
    def __init__(self, sku: str) -> None:
        super().__init__(sku)
        self.properties = {"sku": sku}


async def pick(sku: str) -> str:
    raise NoStockError(sku)


async def picking(ctx: OrchestrationContext, sku: str) -> str:
    return await ctx.call_activity(pick, sku, placement="queue")


async def catching(ctx: OrchestrationContext, sku: str) -> list[str]:
    """By type: an activity's error, and one that a child let through."""
    found: list[str] = []
    for call in (ctx.call_activity(pick, sku), ctx.call_sub_orchestrator(picking, sku)):
        try:
            await call
        except NoStockError as error:
            found.append(error.properties["sku"])
    return found


async def narrow(value: int) -> int:
    await pause(0.5)
    return value


async def few_at_once(ctx: OrchestrationContext, width: int) -> int:
    calls = [ctx.call_activity(narrow, n, placement="queue" if n % 2 else "auto") for n in range(width)]
    return sum(await asyncio.gather(*calls))


async def count_up(ctx: ActivityContext, most: int) -> int:
    """Begins where the run before was."""
    number = ctx.last_progress_as(int) or 0
    while number < most:
        number += 1
        ctx.heartbeat(number)
        await pause(2)
    return number


async def counting(ctx: OrchestrationContext, most: int) -> int:
    """Here and through the queue."""
    return await ctx.call_activity(count_up, most) + await ctx.call_activity(count_up, most, placement="queue")


async def in_a_session(ctx: OrchestrationContext, value: int) -> int:
    """Activities of one session: the first through the queue, others where it ran."""
    for _ in range(2):
        value = await ctx.call_activity(add_one, value, session_id="s")
    more = [ctx.call_activity(add_one, value, session_id="s", placement="queue") for _ in range(2)]
    return sum(await asyncio.gather(*more))


async def keeping(ctx: OrchestrationContext, rounds: int) -> dict[str, Any] | None:
    """Values that are set, read, cleared and taken along, over three executions, with an activity in between."""
    count = ctx.get_value("count", int, 0)
    ctx.set_value("count", await ctx.call_activity(add_one, count))
    ctx.set_value(f"round {count}", count)
    ctx.clear_value(f"round {count - 1}")
    ctx.set_custom_status(count)
    if count + 1 < rounds:
        ctx.continue_as_new(rounds)
        return None
    return {**ctx.values, "own": await ctx.get_value_of(ctx.instance_id, "count")}


def registry(converter: Converter | None = None) -> Registry:
    names = Registry(converter)
    for activity in (add_one, refuse, dawdle, pick, count_up):
        names.add_activity(activity)
    names.add_activity(charge, at_most_once=True, after_fault=look_it_up)
    names.add_activity(narrow, max_concurrent=2)
    names.add_activity(dare, at_most_once=True)
    orchestrators: tuple[Any, ...] = (
        *(
            chain,
            racing,
            fan_out,
            retries,
            parent,
            twins,
            approval,
            greeted,
            eternal,
            talker,
            has_one_that_goes_on,
            goes_on,
            hears,
            passing_on,
            forgetful,
            sends_out,
            messenger,
        ),
        *(holding, wants_held, in_queue, pausing, endless, approval_of_nobody, stubborn, failing, ping, pong, in_order),
        *(paying, daring, impatient, picking, catching, few_at_once, counting, keeping, in_a_session),
    )
    for orchestrator in orchestrators:
        names.add_orchestrator(orchestrator)
    names.add_activity(answer_of_elsewhere, HTTP_ACTIVITY)
    names.add_orchestrator(asking_elsewhere)
    return names
