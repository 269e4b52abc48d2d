"""Which functions are orchestrators."""

from __future__ import annotations

import pytest

from .sources import Sources

BODY = "import time\n\n"


@pytest.mark.parametrize(
    "text",
    [
        "@app.orchestrator\nasync def flow(ctx):\n    time.time()",
        "@app.orchestrator()\nasync def flow(ctx):\n    time.time()",
        "@app.orchestrator(name='other')\nasync def flow(ctx):\n    time.time()",
        "bp = df.DurableBlueprint()\n@bp.orchestrator\nasync def flow(ctx):\n    time.time()",
        "@app.orchestration_trigger(context_name='context')\ndef flow(context):\n    yield time.time()",
        "def flow(context):\n    yield time.time()\n\nmain = df.Orchestrator.create(flow)",
        "from azure.durable_functions import Orchestrator\ndef flow(context):\n    yield time.time()\n"
        "main = Orchestrator.create(flow)",
        "import azure.durable_functions as adf\ndef flow(context):\n    yield time.time()\n"
        "main = adf.Orchestrator.create(flow)",
        "async def flow(ctx):\n    time.time()\n\ndf.Registry().add_orchestrator(flow)",
        "async def flow(ctx):\n    time.time()\n\ndf.Registry().add_orchestrator(function=flow, name='x')",
        "async def flow(ctx):\n    time.time()\n\nfor each in (flow,):\n    registry.add_orchestrator(each)",
        "async def flow(ctx):\n    time.time()\n\nFLOWS = [*(flow,)]\n"
        "for each in FLOWS:\n    registry.add_orchestrator(each)",
        "async def flow(ctx):\n    time.time()\n\n[registry.add_orchestrator(each) for each in [flow]]",
        "def build(app):\n    @app.orchestrator\n    async def flow(ctx):\n        time.time()",
        "class Flows:\n    def __init__(self, registry):\n        registry.add_orchestrator(self.flow)\n"
        "    async def flow(self, ctx):\n        time.time()",
    ],
)
def test_an_orchestrator_is_recognised(text: str, sources: Sources) -> None:
    findings = sources.findings(BODY + text)
    assert [finding.code for finding in findings] == ["DX101"]
    assert [place.function for place in findings[0].via] == ["flow"]


@pytest.mark.parametrize(
    "text",
    [
        "@app.activity\ndef work(value):\n    return time.time()",
        "@app.activity_trigger(input_name='value')\ndef work(value):\n    return time.time()",
        "@app.route(route='x')\n@app.durable_client_input(client_name='client')\nasync def start(req, client):\n"
        "    await client.start_new('flow', str(time.time()))",
        "def work(ctx):\n    return time.time()",
        "def work(context):\n    context.set_state(time.time())\n\nmain = df.Entity.create(work)",
        "@app.entity_trigger(context_name='context')\ndef work(context):\n    context.set_state(time.time())",
        "STARTED = time.time()",
    ],
)
def test_all_else_is_left_alone(text: str, sources: Sources) -> None:
    assert sources.codes(BODY + text) == []
    assert sources.report().orchestrators == 0


def test_an_activity_within_an_orchestrators_function_is_no_part_of_it(sources: Sources) -> None:
    text = """
    @app.orchestrator
    async def flow(ctx):
        @app.activity
        def now(_):
            import time
            return time.time()

        await ctx.call_activity(now, None)
    """
    assert sources.codes(text) == []
