"""What an orchestrator asks of other orchestrations, its children (a room of the orchestration context, R5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from durable_ext.authoring.calls import Calls, wanted_type
from durable_ext.authoring.options import ChildOptions, ChildTerms, check_known, known_of, named
from durable_ext.authoring.payload import encode
from durable_ext.authoring.retry import RetryPolicy, check_policy
from durable_ext.records.events import ChildScheduled
from durable_ext.records.given import check_tags
from durable_ext.records.ids import check_instance_id, check_name, child_execution_id, child_instance_id

if TYPE_CHECKING:
    from durable_ext.authoring.context import OrchestrationContext

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_OPTIONS = known_of(ChildOptions)


class ChildCalls(Calls):
    """The verbs of child orchestrations."""

    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext, _In], Coroutine[Any, Any, _Out]],
        input_: _In,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext], Coroutine[Any, Any, _Out]],
        input_: Any = None,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext, _In], Generator[Any, Any, _Out]],
        input_: _In,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: Callable[[OrchestrationContext], Generator[Any, Any, _Out]],
        input_: Any = None,
        **options: Unpack[ChildOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_sub_orchestrator(
        self, name: str, input_: Any = None, **options: Unpack[ChildOptions]
    ) -> asyncio.Future[Any]: ...
    @overload
    def call_sub_orchestrator(
        self,
        name: str | Callable[..., Any],
        input_: Any,
        instance_id: str | None,
        version: str | None = None,
        expected_type: Any = None,
        /,
        **options: Unpack[ChildTerms],
    ) -> asyncio.Future[Any]: ...
    def call_sub_orchestrator(self, name: Any, input_: Any = None, *old: Any, **options: Unpack[ChildOptions]) -> Any:
        """Run a child orchestration, by function or name; the future has its result, or raises TaskFailedError.

        Raises ConfigurationError for a function that is not registered, and PayloadError.
        """
        self._decisions.check_thread()
        check_known("call_sub_orchestrator", options, _OPTIONS)
        options.update(named("call_sub_orchestrator", ("instance_id", "version", "expected_type"), old))
        called = check_name("orchestrator name", self._registry.name_of(name, "orchestrator"))
        wanted = options.get("instance_id")
        if wanted is not None:
            check_instance_id(wanted)
        payload = encode(self._converter, input_)
        version = self._registry.version_for(name, options.get("version"))
        tags = check_tags(options.get("tags"))
        kind = wanted_type(options, self._registry.find_orchestrator(called, version))

        def ask(attempt: int) -> asyncio.Future[Any]:
            task_id = self._decisions.next_id()
            decision = ChildScheduled(
                id=task_id,
                name=called,
                instance_id=wanted or child_instance_id(self._decisions.execution, task_id),
                execution_id=child_execution_id(self._decisions.execution, task_id),
                input=payload,
                version=version,
                tags=tags,
                attempt=attempt,
            )
            return self._decisions.ask(task_id, decision, kind)

        return self._task(self._retrying(ask, options.get("retry")))

    def call_sub_orchestrator_with_retry(
        self, name: Any, retry_options: RetryPolicy, input_: Any = None, *old: Any, **options: Unpack[ChildOptions]
    ) -> asyncio.Future[Any]:
        """As call_sub_orchestrator with `retry`, in the argument order of azure-functions-durable."""
        options["retry"] = check_policy("call_sub_orchestrator_with_retry", retry_options)
        options.update(named("call_sub_orchestrator_with_retry", ("instance_id", "version", "expected_type"), old))
        return self.call_sub_orchestrator(name, input_, **options)

    def start_new_orchestration(
        self,
        name: str | Callable[..., Any],
        input_: Any = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> str:
        """Start an orchestration that goes its own way, by function or name; return its instance id.

        It is no child: nobody waits for it, and it goes on when this one is terminated or purged. An id that is taken
        keeps what runs there. Raises PayloadError and InvalidInputError.
        """
        self._decisions.check_thread()
        called = check_name("orchestrator name", self._registry.name_of(name, "orchestrator"))
        if instance_id is not None:
            check_instance_id(instance_id)
        payload = encode(self._converter, input_)
        task_id = self._decisions.next_id()
        execution = self._decisions.execution
        started = ChildScheduled(
            id=task_id,
            name=called,
            instance_id=instance_id or child_instance_id(execution, task_id),
            execution_id=child_execution_id(execution, task_id),
            input=payload,
            version=self._registry.version_for(name, version),
            tags=check_tags(tags),
            detached=True,
        )
        self._decisions.decide(started)
        return started.instance_id
