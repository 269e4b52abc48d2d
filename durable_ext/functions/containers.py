"""What a plain func.FunctionApp and a plain func.Blueprint need to hold orchestrators: a list of functions that knows.

azure.functions knows nothing of us: an app copies a blueprint's list and reads its own, and that is when orchestrators
come along and the engine's functions join, once per app. Its own durable decorators make a fresh blueprint at every
call, without saying for whom; so who asks, copies or reads is taken from the frame that does.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import azure.functions as func

from durable_ext.authoring.registry import Registry
from durable_ext.functions.decorators import DurableDecorators
from durable_ext.functions.engine import Engine
from durable_ext.functions.triggers import engine_functions

if TYPE_CHECKING:
    from durable_ext.functions.app import DurableBlueprint

ENGINE = "_durable_engine"
_EMITTED = "_durable_emitted"
_FIRST = "_durable_blueprint"
_THEIRS = "azure.functions"
_DEEPEST = 5


class DurableBuilders(list[Any]):
    """The functions of a container that holds orchestrators, activities or entities too."""

    def __init__(self, owner: DurableDecorators, builders: Iterable[Any] = ()) -> None:
        super().__init__(builders)
        self._owner = owner

    def __iter__(self) -> Iterator[Any]:
        self._owner.settle_names()
        frame = inspect.currentframe()
        app = None if frame is None else _self_of(frame.f_back, {"get_functions", "register_functions"})
        if isinstance(app, func.FunctionRegister) and not isinstance(app, DurableDecorators):
            return itertools.chain(super().__iter__(), self._joining(app))
        return super().__iter__()

    def _joining(self, app: func.FunctionRegister) -> list[Any]:
        """The engine's functions, for an app that has none of them yet."""
        engine = plain_engine(app, self._owner.registry)
        if engine.registry is not self._owner.registry:
            self._owner.join(engine)
        if app.__dict__.get(_EMITTED):
            return []
        setattr(app, _EMITTED, True)
        return engine_functions(engine)


def plain_engine(app: func.FunctionRegister, first: Registry) -> Engine:
    """The engine of a plain app, made at the first call; values become JSON as its first blueprint has it."""
    engine: Engine | None = app.__dict__.get(ENGINE)
    if engine is None:
        engine = Engine(Registry(first.converter, first.properties_of, first.default_version))
        setattr(app, ENGINE, engine)
    return engine


def asking_container() -> func.DecoratorApi | None:
    """The plain app or blueprint whose own durable decorator is being called right now; None when none is."""
    frame = inspect.currentframe()
    for _ in range(_DEEPEST):
        frame = None if frame is None else frame.f_back
        found = _self_of(frame, {"_get_durable_blueprint"})
        if isinstance(found, func.DecoratorApi):
            return found
    return None


def adopt(container: func.DecoratorApi, blueprint: DurableBlueprint) -> DurableBlueprint:
    """Have a plain container's durable decorators be those of this blueprint, or of the one that was first."""
    first: DurableBlueprint | None = blueprint_of(container)
    if first is not None:
        return first
    setattr(container, _FIRST, blueprint)
    if isinstance(container, func.FunctionRegister):
        engine = plain_engine(container, blueprint.registry)
        blueprint.registry = engine.registry
        blueprint.join(engine)
    builders = DurableBuilders(blueprint, container._function_builders)  # pyright: ignore[reportPrivateUsage]
    container._function_builders = builders  # pyright: ignore[reportPrivateUsage]
    # It would put what the decorator returns into the list of functions; ours is none that the host may see.
    setattr(container, "_invoke_df_decorator", _as_it_is)  # noqa: B010 - not theirs to be known
    return blueprint


def blueprint_of(container: func.DecoratorApi) -> DurableBlueprint | None:
    """The blueprint that answers for a plain container's durable decorators; None when none was called."""
    return container.__dict__.get(_FIRST)


def _as_it_is(decorator: Any) -> Any:
    return decorator


def _self_of(frame: FrameType | None, names: set[str]) -> Any:
    """`self` of a method of azure.functions of one of these names, when that is what runs in the frame."""
    if frame is None or frame.f_code.co_name not in names:
        return None
    return frame.f_locals.get("self") if str(frame.f_globals.get("__name__", "")).startswith(_THEIRS) else None
