"""The whole engine in process, for tests of an app: virtual time, mocks, faults (docs/testing.md).

    with Harness(app) as hub:
        order = hub.start(process_order, Order("A-1", 10))
        hub.advance(timedelta(hours=3))
        order.raise_event("approval", True)
        assert order.result() == "shipped A-1"

Its verbs are plain calls, in a plain test and in an async one alike. After each of them everything has happened that
can happen without time passing; time passes only in `advance`, `run`, `result`, `wait` and `run_until_idle`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack, cast, overload

import msgspec

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.records.events import Event
from durable_ext.testing import harness_apps
from durable_ext.testing.activity_calls import Calls
from durable_ext.testing.aftermath import executions, rows
from durable_ext.testing.harness_engine import HarnessEngine, WaitsForeverError, When, process_settings
from durable_ext.testing.harness_http import HttpAnswer, HttpFront, HttpRequest
from durable_ext.testing.harness_instance import LONGEST, HarnessInstance
from durable_ext.testing.harness_loop import HarnessLoop
from durable_ext.testing.histories import check_turns, with_answers
from durable_ext.testing.mocking import Mock, MockedRegistry
from durable_ext.testing.scenario import StoreName
from durable_ext.testing.virtual_time import START
from durable_ext.worker.client import Client, StartOptions
from durable_ext.worker.settings import WorkerSettings

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_T = TypeVar("_T")
AnyFunction = Callable[..., Any]
_WithInput: TypeAlias = (
    Callable[[OrchestrationContext, _In], Coroutine[Any, Any, _Out]]
    | Callable[[OrchestrationContext, _In], Generator[Any, Any, _Out]]
)
_WithoutInput: TypeAlias = (
    Callable[[OrchestrationContext], Coroutine[Any, Any, _Out]]
    | Callable[[OrchestrationContext], Generator[Any, Any, _Out]]
)


class HarnessOptions(TypedDict, total=False):
    """`store`: "sqlite", the default, or "azure": the Azure Storage provider over an account in memory. `start`: the
    virtual time at the beginning, aware. `doubled`: every message comes twice. `from_scratch`: every turn replays from
    the beginning. `settings`: the worker's own."""

    store: StoreName
    start: datetime
    doubled: bool
    from_scratch: bool
    settings: WorkerSettings


class Started(TypedDict, total=False):
    """How to start an instance: its id, and StartOptions."""

    instance_id: str
    options: StartOptions


class Harness:
    """An app under test: a DurableApp, a func.FunctionApp with blueprints, a blueprint, a module or a Registry.

    A context manager, `with` and `async with`. Not for several threads. Raises ConfigurationError.
    """

    def __init__(self, app: Any, **options: Unpack[HarnessOptions]) -> None:
        self._app = harness_apps.app_of(app)
        self._own = harness_apps.registry_of(self._app)
        self._options = options
        self._loop: HarnessLoop | None = None
        self._engine: HarnessEngine | None = None
        self._front: HttpFront | None = None

    def __enter__(self) -> Harness:
        if self._engine is not None:
            raise ConfigurationError("this Harness is open already; make one for each test")
        options = self._options
        self._loop = loop = HarnessLoop(options.get("start", START))
        registry = MockedRegistry(self._own, loop.now)
        settings = process_settings(
            options.get("settings"),
            doubled=options.get("doubled", False),
            from_scratch=options.get("from_scratch", False),
        )
        self._engine = loop.call(_made(loop, registry, options.get("store", "sqlite"), settings))
        self.do(self._engine.open())
        return self

    def __exit__(self, *_: object) -> None:
        loop, engine = self._loop, self._engine
        self._loop = self._engine = None
        if loop is None or engine is None:
            return
        try:
            if self._front is not None:
                loop.call(self._front.close())
            loop.call(engine.close())
            loop.call(_cancelled_rest())
            loop.call(loop.shutdown_asyncgens())
            loop.call(loop.shutdown_default_executor())
        finally:
            self._front = None
            engine.registry.close()
            loop.close()

    async def __aenter__(self) -> Harness:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    @property
    def engine(self) -> HarnessEngine:
        """What runs inside. Raises ConfigurationError when the harness is not open."""
        if self._engine is None:
            raise ConfigurationError("the Harness is not open: use it as `with Harness(app) as hub:`")
        return self._engine

    @property
    def registry(self) -> Registry:
        """The orchestrators and activities of the app itself, without mocks."""
        return self._own

    @property
    def client(self) -> Client:
        """A client of the hub, for code under test that takes one; its coroutines run with `wait`."""
        return self.engine.client

    @property
    def now(self) -> datetime:
        """Virtual time, aware UTC."""
        return self.engine.clock()

    @property
    def calls(self) -> Calls:
        """What activities were called with, in order."""
        return self.engine.registry.calls

    @property
    def storage_calls(self) -> int:
        """How many storage calls the app's processes have made."""
        return self.engine.storage_calls

    # Instances

    @overload
    def start(
        self, orchestrator: _WithInput[_In, _Out], input: _In, **how: Unpack[Started]
    ) -> HarnessInstance[_Out]: ...
    @overload
    def start(
        self, orchestrator: _WithoutInput[_Out], input: Any = None, **how: Unpack[Started]
    ) -> HarnessInstance[_Out]: ...
    @overload
    def start(self, orchestrator: str, input: Any = None, **how: Unpack[Started]) -> HarnessInstance[Any]: ...
    def start(self, orchestrator: Any, input: Any = None, **how: Unpack[Started]) -> Any:  # noqa: A002 - the field's word for it
        """Start an orchestration, by function or name, and let it go as far as it can without time passing.

        Raises ConfigurationError for one that the app does not have, and as Client.start.
        """
        registry = self.engine.registry
        name = registry.name_of(orchestrator)
        definition = registry.orchestrators.get(name)
        if definition is None:
            known = ", ".join(sorted(registry.orchestrators)) or "none"
            raise ConfigurationError(f"the app has no orchestrator {name!r}; registered: {known}")
        options = how.get("options", StartOptions())
        version = registry.version_for(orchestrator, options.version)
        definition = registry.find_orchestrator(name, version) or definition
        how["options"] = msgspec.structs.replace(options, version=version or "")
        instance_id = self.do(self.client.start(name, input, **how))
        return HarnessInstance[Any](self, instance_id, definition.output_type)

    @overload
    def run(
        self, orchestrator: _WithInput[_In, _Out], input: _In, *, within: timedelta = ..., **how: Unpack[Started]
    ) -> _Out: ...
    @overload
    def run(
        self, orchestrator: _WithoutInput[_Out], input: Any = None, *, within: timedelta = ..., **how: Unpack[Started]
    ) -> _Out: ...
    @overload
    def run(self, orchestrator: str, input: Any = None, *, within: timedelta = ..., **how: Unpack[Started]) -> Any: ...
    def run(
        self,
        orchestrator: Any,
        input: Any = None,  # noqa: A002 - the field's word for it
        *,
        within: timedelta = LONGEST,
        **how: Unpack[Started],
    ) -> Any:
        """Start an orchestration and let time pass until it has ended; its output.

        Raises TaskFailedError when it failed, WaitsForeverError when it waits for what nobody does, AssertionError when
        it was terminated or has not ended `within` this virtual time; and as `start`.
        """
        instance: HarnessInstance[Any] = self.start(orchestrator, input, **how)
        return instance.result(within=within)

    def instance(self, instance_id: str) -> HarnessInstance[Any]:
        """An instance by id, a child for example."""
        return HarnessInstance(self, instance_id)

    def instances(self) -> list[HarnessInstance[Any]]:
        """All instances of the hub, children included, ordered by id."""
        found = self.do(rows(self.engine.hub.store))
        return [self.instance(row.instance_id) for row in found]

    def raise_event(self, instance_id: str, name: str, data: Any = None) -> None:
        """Raise an external event."""
        self.instance(instance_id).raise_event(name, data)

    def status(self, instance_id: str) -> Any:
        """The InstanceStatus of an instance. Raises InstanceNotFoundError."""
        return self.instance(instance_id).status

    def history(self, instance_id: str) -> list[Event]:
        """The events of the current execution of an instance."""
        return self.instance(instance_id).history

    # Time

    def advance(self, by: timedelta) -> None:
        """Let virtual time pass; timers fire in order on the way, and what is due at the end has happened."""
        if by < timedelta(0):
            raise ConfigurationError(f"time does not go back: advance({by!r})")
        self.do(self.engine.pass_time(self.now + by))

    def run_until_idle(self, *, within: timedelta = LONGEST) -> None:
        """Let time pass until nothing is left to do but what waits for somebody outside, or `within` is over."""
        self.do(self.engine.drive(self.engine.is_over, self.now + within))

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the clock of the harness, letting time pass as needed; its result.

        Raises what it raises, and WaitsForeverError when it waits for what will not happen.
        """
        return self.do(self._waited(work))

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine, then let everything happen that needs no time; its result."""
        if self._loop is None:
            work.close()
            raise ConfigurationError("the Harness is not open: use it as `with Harness(app) as hub:`")
        return self._loop.call(_settled(self._loop, work))

    # Mocks and faults

    def mock(self, target: AnyFunction | str, outcome: Any) -> None:
        """Give calls of an activity, a child orchestration or an entity another outcome, from the next one on.

        `outcome`: an exception, or a class of one, is raised; a function is called with the same arguments or the last
        few of them, async or not; `in_turn(a, b, ...)` is one outcome for each call, the last one staying; anything
        else is the result. A function for an entity gets its context. Raises ConfigurationError for what the
        app does not have.
        """
        self._mock_of(target).set(outcome)

    def unmock(self, target: AnyFunction | str) -> None:
        """Have the app's own function again."""
        self._mock_of(target).reset()

    def fail(self, target: AnyFunction | str, times: int = 1, error: BaseException | None = None) -> None:
        """Have the next calls fail, so many, by default with a RuntimeError; afterwards all is as before."""
        failure = error or RuntimeError(f"{self.engine.registry.name_of(target)} was told to fail")
        self._mock_of(target).fail([failure] * times)

    def slow(self, target: AnyFunction | str, by: timedelta) -> None:
        """Have each call take so much virtual time before it begins."""
        self._mock_of(target).pause = by

    def restart(self) -> None:
        """Kill the process, as kill -9, and start another: everything comes from storage again.

        What was under way in the process comes back once its leases are over, half a minute of virtual time later.
        """
        self.do(self.engine.restart())

    def crash_at(self, call: int, when: When = "before") -> None:
        """Have the process die at the n-th storage call from here on, counted from 0: "before" its effect or "after".

        Another process takes its place. `storage_calls` tells how many calls there are.
        """
        if call < 0:
            raise ConfigurationError("crash_at counts calls from 0")
        self.engine.crash_at(call, when)

    def assert_replays(self) -> None:
        """Replay every execution of every instance from its history with the app's code (R3).

        Raises NonDeterminismError with the source line where they part.
        """
        self.do(self._check_replays())

    def _mock_of(self, target: AnyFunction | str) -> Mock:
        registry = self.engine.registry
        is_new = registry.find_mock(registry.name_of(target)) is None
        mock = registry.mock_of(target)
        if is_new:
            mock.before = frozenset(row.instance_id for row in self.do(rows(self.engine.hub.store)))
        return mock

    # HTTP

    def http(self, method: str, path: str, **request: Unpack[HttpRequest]) -> HttpAnswer:
        """Call a function of the app that has an HTTP trigger, by the route the host would choose.

        Its durable client is the one of this hub. Raises what the function raises.
        """
        if self._front is None:
            self._front = HttpFront(self._app, self.engine)
        return self.do(self._waited(self._front.call(method, path, request)))

    async def _waited(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.ensure_future(work)
        try:
            await self.engine.drive(_done(task), for_others=True)
        except WaitsForeverError:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
        return await task

    async def _check_replays(self) -> None:
        engine = self.engine
        for row in await rows(engine.hub.store):
            for turns in await executions(engine.hub.store, row.instance_id):
                whole = await with_answers(engine.client, turns)
                error = check_turns(engine.registry, turns[0].execution, whole).error
                if error is not None:
                    raise error


async def _made(loop: HarnessLoop, registry: MockedRegistry, store: StoreName, settings: Any) -> HarnessEngine:
    return HarnessEngine(loop, registry, store, settings)


async def _settled(loop: HarnessLoop, work: Coroutine[Any, Any, _T]) -> _T:
    try:
        return await work
    finally:
        await loop.rest()


def _done(task: asyncio.Future[Any]) -> Callable[[], Awaitable[bool]]:
    async def is_done() -> bool:
        return task.done()

    return is_done


async def _cancelled_rest() -> None:
    others = asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
