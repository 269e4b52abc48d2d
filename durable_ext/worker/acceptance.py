"""Which executions this worker takes, by the version they are pinned to, and what becomes of the others.

Without settings every execution is taken, and nothing is asked. An execution goes on at a version of its own: the one
its history began with, or the one it continues as new with. Entities have none, and neither has what every app has.
"""

from __future__ import annotations

from collections.abc import Sequence

from durable_ext.authoring.registry import Registry
from durable_ext.errors import DurableError, VersionMismatchError
from durable_ext.records.entity_id import EntityId
from durable_ext.records.events import ExecutionFailed, ExecutionStarted, Input
from durable_ext.records.failures import failure_from
from durable_ext.records.ids import is_entity
from durable_ext.records.versions import VersionFailure, VersionMatch, matches
from durable_ext.replay.turn import TurnResult
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.state import SessionState


class Acceptance:
    """The rule of one worker. `puts_off`: what is not taken waits for another worker; otherwise it fails.

    `waits_for_code`: what is not registered here waits, too, orchestrators and entities.
    """

    def __init__(self, settings: WorkerSettings, registry: Registry) -> None:
        self.puts_off = settings.version_failure is not VersionFailure.FAIL
        self._match = settings.version_match
        self._version = settings.version or registry.default_version
        self._registry = registry
        self.waits_for_code = settings.version_failure is VersionFailure.REJECT
        self._asks = self._match is not VersionMatch.NONE or self.waits_for_code

    def refusal(self, state: SessionState, inputs: Sequence[Input] = ()) -> DurableError | None:
        """Why an instance is not taken as it stands, or for these inputs of its next turn; None when it is."""
        if not self._asks or is_entity(state.execution.instance_id):
            return None
        if state.to_continue is not None:
            return self.refusal_of(state.row.name, state.to_continue.version)
        if state.ledger.ended is not None:
            return None
        first = inputs[0] if inputs else None
        started = first if isinstance(first, ExecutionStarted) else state.ledger.started
        return self.refusal_of(state.row.name, state.row.version if started is None else started.version)

    def waits(self, state: SessionState) -> DurableError | None:
        """Why messages of an instance are put off; None when they are dealt with.

        What is to be rewound is not failed for its version: the history that it keeps would be lost.
        """
        rewinds = state.row.rewinds is not None and not state.ledger.turns
        return self.refusal(state) if self.puts_off or rewinds else None

    def entity_refusal(self, entity_id: str) -> DurableError | None:
        """Why an entity is left to other workers, whatever is asked of it; None when it is taken."""
        if not self.waits_for_code:
            return None
        name = EntityId.parse(entity_id).name
        return None if name in self._registry.entities else self._registry.missing_entity(name)

    def refusal_of(self, name: str, version: str | None) -> DurableError | None:
        """Why an execution of this orchestrator and version is not taken; None when it is."""
        if not self._asks or self._registry.is_built_in(name):
            return None
        if not matches(self._match, self._version, version):
            pinned = "no version" if version is None else f"version {version!r}"
            own = "has none" if self._version is None else f"is of version {self._version!r}"
            return VersionMismatchError(
                f"orchestrator {name!r} is pinned to {pinned}, and the worker {own} and takes "
                f"{self._match.value} only; run a worker that takes it"
            )
        if self.waits_for_code and self._registry.find_orchestrator(name, version) is None:
            return self._registry.missing(name, version)
        return None


def closed(inputs: Sequence[Input], refusal: DurableError) -> TurnResult:
    """The last turn of an execution whose code is not here."""
    return TurnResult((*inputs, ExecutionFailed(failure=failure_from(refusal))), ())
