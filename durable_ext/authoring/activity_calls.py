"""What an orchestrator asks of activities (a room of the orchestration context, R5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, Unpack, overload

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.calls import Calls, wanted_type
from durable_ext.authoring.options import ActivityOptions, check_known, check_placement, known_of, named
from durable_ext.authoring.payload import encode
from durable_ext.authoring.retry import RetryPolicy, check_policy
from durable_ext.records.events import TaskScheduled
from durable_ext.records.given import check_tags
from durable_ext.records.ids import check_name, check_tag

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_OPTIONS = known_of(ActivityOptions)


class ActivityCalls(Calls):
    """The activity verbs of the orchestration context."""

    @overload
    def call_activity(
        self,
        name: Callable[[ActivityContext, _In], Awaitable[_Out]],
        input_: _In,
        **options: Unpack[ActivityOptions],
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[_In], Awaitable[_Out]], input_: _In, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[], Awaitable[_Out]], **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[ActivityContext, _In], _Out], input_: _In, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: Callable[[_In], _Out], input_: _In, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(self, name: Callable[[], _Out], **options: Unpack[ActivityOptions]) -> asyncio.Future[_Out]: ...
    @overload
    def call_activity(
        self, name: str, input_: Any = None, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[Any]: ...
    @overload
    def call_activity(
        self, name: str | Callable[..., Any], input_: Any, expected_type: Any, /
    ) -> asyncio.Future[Any]: ...
    def call_activity(self, name: Any, input_: Any = None, *old: Any, **options: Unpack[ActivityOptions]) -> Any:
        """Run an activity; the future has its result, or raises TaskFailedError (R5).

        `name` is the function itself or its name. Raises ConfigurationError for a function that is not registered,
        PayloadError for an input that is not data, and InvalidInputError for a tag that cannot be.
        """
        self._decisions.check_thread()
        check_known("call_activity", options, _OPTIONS)
        if old:
            options.update(named("call_activity", ("expected_type",), old))
        called = check_name("activity name", self._registry.name_of(name, "activity"))
        payload = encode(self._converter, input_)
        kind = wanted_type(options, self._registry.activities.get(called))
        tag = options.get("tag")
        tag = "" if tag is None else check_tag(tag)
        placement = check_placement(options.get("placement", "auto"))
        tags = check_tags(options.get("tags"))
        session = options.get("session_id")
        session = "" if session is None else check_name("session id", session)

        def ask(attempt: int) -> asyncio.Future[Any]:
            task_id = self._decisions.next_id()
            decision = TaskScheduled(
                id=task_id,
                name=called,
                input=payload,
                placement=placement,
                tags=tags,
                tag=tag,
                session_id=session,
                attempt=attempt,
            )
            return self._decisions.ask(task_id, decision, kind)

        return self._task(self._retrying(ask, options.get("retry")))

    def call_activity_with_retry(
        self, name: Any, retry_options: RetryPolicy, input_: Any = None, *old: Any, **options: Unpack[ActivityOptions]
    ) -> asyncio.Future[Any]:
        """As call_activity with `retry`, in the argument order of azure-functions-durable."""
        options["retry"] = check_policy("call_activity_with_retry", retry_options)
        options.update(named("call_activity_with_retry", ("expected_type",), old))
        return self.call_activity(name, input_, **options)
