"""One record of every kind, with every field set: what the codec has to carry."""

from __future__ import annotations

from datetime import UTC, datetime

from durable_ext.records import events, messages
from durable_ext.records.events import Event
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Caller, Execution, FirstEvent, Parent, Preceding, Rewinding
from durable_ext.records.messages import Body
from durable_ext.records.payloads import inline, stored
from durable_ext.records.trace import TraceContext
from durable_ext.records.value_events import KeptValue

NOON = datetime(2030, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
VALUE = inline(b'{"text":"h\xc3\xa9llo","n":[1,2.5,null,true]}')
BLOB = stored("order-1/abc.json.gz", 70_000)
TAGS = {"team": "a"}
TRACE = TraceContext(f"00-{'1' * 32}-{'2' * 16}-01", "vendor=one")
PARENT = Parent(instance_id="boss", execution_id="b1", task_id=7, name="main")
CALLER = Caller(instance_id="order-1", execution_id="e1", task_id=7)
PRECEDING = (Preceding(entity_id="@counter@two", message_id="m0", sent_at=NOON),)
EXECUTION = Execution(instance_id="order-1", execution_id="e1", generation=2)
FAILURE = Failure(
    type="shop.OutOfStock",
    message="no stock",
    traceback="Traceback ...",
    cause=Failure(type="OSError", message="gone", retryable=False),
    retryable=False,
    properties={"sku": "x", "n": 1},
)

EVENTS: list[Event] = [
    events.ExecutionStarted(
        name="main",
        input=VALUE,
        version="2",
        parent=PARENT,
        tags=TAGS,
        created_at=NOON,
        previous="e0",
        values={"at": KeptValue(value=VALUE, set_at=NOON)},
        status_changes=2,
        trace=TRACE,
    ),
    events.TaskCompleted(task_id=1, result=VALUE),
    events.TaskFailed(task_id=1, failure=FAILURE),
    events.ChildCompleted(task_id=1, result=BLOB),
    events.ChildFailed(task_id=1, failure=FAILURE),
    events.TimerFired(task_id=1),
    events.EventRaised(name="approval", input=VALUE),
    events.ExecutionSuspended(reason="stop"),
    events.ExecutionResumed(reason="go"),
    events.ExecutionTerminated(reason="enough", recursive=False, output=inline(b"1")),
    events.TaskScheduled(
        id=1,
        name="reserve",
        input=BLOB,
        placement="queue",
        tags=TAGS,
        tag="gpu",
        session_id="s",
        attempt=2,
        trace=TRACE,
    ),
    events.TimerCreated(id=1, fire_at=NOON),
    events.ChildScheduled(
        id=1,
        name="ship",
        instance_id="e1:1",
        execution_id="c1",
        input=VALUE,
        version="2",
        tags=TAGS,
        detached=True,
        attempt=2,
        trace=TRACE,
    ),
    events.EventSent(id=1, instance_id="other", name="hello", input=VALUE, trace=TRACE),
    events.TaskCancelled(task_id=1),
    events.CustomStatusSet(status=VALUE),
    events.ValueSet(key="at", value=VALUE),
    events.ValueCleared(key="at"),
    events.ValuesCleared(),
    events.ExecutionCompleted(result=VALUE),
    events.ExecutionFailed(failure=FAILURE),
    events.ContinuedAsNew(
        input=VALUE,
        execution_id="e2",
        carried=(
            events.EventRaised(name="late", input=VALUE),
            events.ExecutionSuspended(reason="stop"),
            events.ExecutionResumed(reason="go"),
            events.ExecutionTerminated(reason="enough"),
        ),
        version="2",
        values={"at": KeptValue(value=VALUE, set_at=NOON)},
        status_changes=2,
    ),
    events.EntityCalled(id=1, entity_id="@counter@one", operation="add", input=VALUE, lock="e1:0", trace=TRACE),
    events.EntitySignaled(id=1, entity_id="@counter@one", operation="add", input=VALUE, due=NOON, trace=TRACE),
    events.LockAsked(id=1, entities=("@counter@one", "@counter@two")),
    events.LockLeft(task_id=1),
    events.OperationCompleted(task_id=1, result=VALUE),
    events.OperationFailed(task_id=1, failure=FAILURE),
    events.LockAcquired(task_id=1),
    events.OperationRequested(operation="add", input=VALUE, caller=CALLER, lock="e1:0", trace=TRACE),
    events.LockRequested(lock="e1:0", holder=CALLER, entities=("@counter@one", "@counter@two"), after=PRECEDING),
    events.LockReleased(lock="e1:0"),
    events.RemovalRequested(),
    events.OperationEnded(number=1, caller=CALLER, result=VALUE, failure=FAILURE),
    events.LockGranted(
        number=1, lock="e1:0", holder=CALLER, entities=("@counter@one", "@counter@two"), after=PRECEDING
    ),
    events.EntityUpdated(state=BLOB, unchanged=True, waiting=2, lock="e1:0", locked_by="order-1"),
    events.EntityRemoved(),
    events.ExecutionRewound(
        origin="e0",
        reason="mended",
        past=(events.Past(time=NOON, events=(events.TimerCreated(id=1, fire_at=NOON),)),),
        reopened=(2,),
        decided=(3,),
    ),
    events.ParentRewound(parent=PARENT),
]

BODIES: list[Body] = [
    messages.StartExecution(
        execution=EXECUTION,
        name="main",
        input=VALUE,
        version="2",
        parent=PARENT,
        tags=TAGS,
        created_at=NOON,
        scheduled_start=NOON,
        row_etag='W/"1"',
        previous="e0",
        first_event=FirstEvent(name="go", input=inline(b"1")),
        rewinds=Rewinding(execution_id="e0", reason="mended", time=NOON),
    ),
    messages.FinishTask(task_id=1, result=VALUE),
    messages.FinishChild(task_id=1, failure=FAILURE),
    messages.FireTimer(task_id=1, fire_at=NOON),
    messages.RaiseEvent(name="approval", input=BLOB),
    messages.Terminate(reason="enough", recursive=False, by_parent="the-parent", output=inline(b"1")),
    messages.Suspend(reason="stop"),
    messages.Resume(reason="go"),
    messages.RunActivity(task_id=1, name="reserve", input=VALUE, tags=TAGS, tag="gpu", session_id="s"),
    messages.RunOperation(operation="add", input=VALUE, caller=CALLER, lock="e1:0"),
    messages.FinishOperation(task_id=1, result=VALUE, failure=FAILURE),
    messages.RequestLock(lock="e1:0", holder=CALLER, entities=("@counter@one", "@counter@two"), after=PRECEDING),
    messages.GrantLock(task_id=1),
    messages.ReleaseLock(lock="e1:0"),
    messages.RemoveEntity(),
]
