"""Turn 0: an orchestrator that has no history yet."""

from __future__ import annotations

from datetime import timedelta

from durable_ext.authoring.context import OrchestrationContext

from .conftest import Begin
from .events import child, completed, continued, facts, failed, sent, started, task, timer


def test_returns_at_once(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext, amount: int) -> int:
        return amount + 1

    assert facts(begin(main).start(41)) == facts([completed(42)])


def test_raises_at_once(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        raise ValueError("no amount")

    situation = begin(main)
    situation.start()
    assert (situation.failure.type, situation.failure.message) == ("ValueError", "no amount")
    assert "raise ValueError" in situation.failure.traceback


def test_asks_for_an_activity(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext, order: dict[str, int]) -> None:
        await ctx.call_activity("reserve", order)

    assert facts(begin(main).start({"n": 1})) == facts([task(0, "reserve", {"n": 1})])


def test_asks_for_a_timer(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.create_timer(timedelta(minutes=1))

    assert facts(begin(main).start()) == facts([timer(0, 60)])


def test_waits_for_an_event(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.wait_for_external_event("approval")

    assert begin(main).start() == []


def test_asks_for_a_child(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_sub_orchestrator("ship", 7)

    assert facts(begin(main).start()) == facts([child(0, "ship", 7)])


def test_continues_as_new(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext, round_: int) -> None:
        ctx.continue_as_new(round_ + 1)

    assert facts(begin(main).start(1)) == facts([continued(2)])


def test_asks_without_waiting(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        ctx.call_activity("a")
        ctx.send_event("other", "hello", "you")
        ctx.call_activity("b")
        return "sent"

    expected = [task(0, "a"), sent(1, "other", "hello", "you"), task(2, "b"), completed("sent")]
    assert facts(begin(main).start()) == facts(expected)


def test_a_function_that_is_not_async_is_called(begin: Begin) -> None:
    def main(ctx: OrchestrationContext) -> str:
        ctx.call_activity("a")
        return "plain"

    assert facts(begin(main).start()) == facts([task(0, "a"), completed("plain")])


def test_an_unknown_orchestrator_fails_and_says_what_is_known(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None: ...

    situation = begin(main)
    situation.turn(started(name="elsewhere"))
    assert "'elsewhere'; registered: main" in situation.failure.message
    assert not situation.failure.retryable


def test_an_input_that_does_not_fit_fails_the_instance(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext, amount: int) -> int:
        return amount

    situation = begin(main)
    situation.start("many")
    assert situation.failure.type == "durable_ext.errors.PayloadError"
    assert "does not fit int" in situation.failure.message
    assert facts([situation.end]) == facts([failed(situation.failure)])


def test_a_result_that_is_not_data_fails_the_instance(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> object:
        return object()

    situation = begin(main)
    situation.start()
    assert "cannot be carried as JSON" in situation.failure.message


def test_an_argument_that_is_not_data_is_the_callers_error(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            ctx.call_activity("a", object())
        except ValueError as error:
            return type(error).__name__
        return "taken"

    assert facts(begin(main).start()) == facts([completed("PayloadError")])


def test_what_code_may_know_of_its_instance(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> list[object]:
        return [ctx.name, ctx.instance_id, ctx.execution_id, ctx.parent_instance_id, ctx.version, ctx.tags]

    assert facts(begin(main).start()) == facts([completed(["main", "order-1", "e1", None, None, {}])])


def test_the_input_can_be_asked_for(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        return ctx.get_input(list[str])[0]

    assert facts(begin(main).start(["first"])) == facts([completed("first")])
