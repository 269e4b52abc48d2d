"""DurableApp and DurableBlueprint: a func.FunctionApp and a func.Blueprint that know orchestrations (F1).

The engine's triggers join the list of functions when the host asks for it, once per app. For a DurableBlueprint in a
plain func.FunctionApp they join it at registration, with the first such blueprint.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import azure.functions as func

from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.functions.decorators import DurableDecorators
from durable_ext.functions.engine import Engine
from durable_ext.functions.triggers import engine_functions
from durable_ext.records.failures import PropertiesOf, own_properties

if TYPE_CHECKING:
    from durable_ext.authoring.payload import Converter
    from durable_ext.worker.worker import Worker

_ENGINE = "_durable_engine"


class DurableApp(DurableDecorators, func.FunctionApp):
    """A function app with orchestrations. Settings come from the environment, see docs/settings.md.

    `converter` turns the values of the whole app into JSON; `properties_of` says what failures keep of an exception
    beside its text. In a blueprint neither counts, unless it is the first one of a plain func.FunctionApp.
    """

    def __init__(
        self,
        http_auth_level: func.AuthLevel | str = func.AuthLevel.FUNCTION,
        *,
        converter: Converter | None = None,
        properties_of: PropertiesOf = own_properties,
    ) -> None:
        super().__init__(http_auth_level=http_auth_level)
        self.registry = Registry(converter, properties_of)
        self._engine = Engine(self.registry)
        self._indexed: list[func.Function] | None = None

    def attach(self, worker: Worker) -> None:
        """Use this worker instead of opening one from the settings. Its owner closes it."""
        self.engine.attach(worker)

    async def worker(self) -> Worker:
        """The worker of this process, the one attached or one opened at the first call.

        Raises ConfigurationError, also for SQLite storage without an attached worker, and StorageError.
        """
        return await self.engine.worker()

    async def close(self) -> None:
        """Close what the app has opened itself: for tests and hosts that end in an orderly way."""
        await self.engine.close()

    def get_functions(self) -> list[func.Function]:
        """The app's functions and the engine's. A second call returns the same list.

        Raises ConfigurationError for wrong settings, ValueError for functions the host would refuse.
        """
        if self._indexed is None:
            self._function_builders.extend(engine_functions(self.engine))
            self._indexed = super().get_functions()
        return self._indexed

    def register_functions(self, function_container: func.DecoratorApi) -> None:
        """Take over a blueprint's functions and, from a DurableBlueprint, its orchestrators and activities.

        Raises DuplicateNameError.
        """
        if isinstance(function_container, DurableBlueprint):
            function_container.join(self.engine)
        super().register_functions(function_container)

    register_blueprint = register_functions


class DurableBlueprint(DurableDecorators, func.Blueprint):
    """Functions, orchestrators and activities that an app takes over with `register_functions`.

    In several apps, as in tests, its functions get the client of the app that took it over last.
    """

    def __init__(self, *, converter: Converter | None = None, properties_of: PropertiesOf = own_properties) -> None:
        super().__init__()
        self.registry = Registry(converter, properties_of)
        self._function_builders = _Builders(self)

    def join(self, engine: Engine) -> None:
        """Bring the orchestrators and activities along. Raises DuplicateNameError."""
        engine.registry.include(self.registry)
        self._engine = engine


class _Builders(list[Any]):
    """A blueprint's list of functions. A plain func.FunctionApp copies it, and knows nothing else of us."""

    def __init__(self, blueprint: DurableBlueprint) -> None:
        super().__init__()
        self._blueprint = blueprint

    def __iter__(self) -> Iterator[Any]:
        # Who copies is not handed over; it is `self` of the register_functions that runs.
        frame = inspect.currentframe()
        app = frame.f_back.f_locals.get("self") if frame is not None and frame.f_back is not None else None
        if isinstance(app, func.FunctionRegister) and not isinstance(app, DurableApp):
            return itertools.chain(super().__iter__(), _plain_app_joins(app, self._blueprint))
        return super().__iter__()


def _plain_app_joins(app: func.FunctionRegister, blueprint: DurableBlueprint) -> list[Any]:
    engine: Engine | None = app.__dict__.get(_ENGINE)
    if engine is not None:
        blueprint.join(engine)
        return []
    engine = Engine(Registry(blueprint.registry.converter, blueprint.registry.properties_of))
    setattr(app, _ENGINE, engine)
    blueprint.join(engine)
    return engine_functions(engine)


def engine_of(app: func.FunctionRegister) -> Engine:
    """The engine of an app, plain or not. Raises ConfigurationError when nothing of it is durable."""
    engine: Engine | None = app.engine if isinstance(app, DurableApp) else app.__dict__.get(_ENGINE)
    if engine is None:
        raise ConfigurationError("the app has no orchestrations: make it a DurableApp or register a DurableBlueprint")
    return engine
