"""DurableApp and DurableBlueprint: a func.FunctionApp and a func.Blueprint that know orchestrations (F1).

The engine's triggers join the list of functions when the host asks for it, once per app. In a plain func.FunctionApp
they join at registration, with the first DurableBlueprint, or when the host asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import azure.functions as func

from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError
from durable_ext.functions.containers import ENGINE, DurableBuilders, adopt, asking_container, blueprint_of
from durable_ext.functions.decorators import DurableDecorators
from durable_ext.functions.engine import Engine
from durable_ext.functions.triggers import engine_functions
from durable_ext.records.failures import PropertiesOf, own_properties

if TYPE_CHECKING:
    from durable_ext.authoring.lifecycle import LifecyclePublisher
    from durable_ext.authoring.payload import Converter
    from durable_ext.worker.worker import Worker


class DurableApp(DurableDecorators, func.FunctionApp):
    """A function app with orchestrations. Settings come from the environment, see docs/settings.md.

    `converter` turns the values of the whole app into JSON; `properties_of` says what failures keep of an exception
    beside its text. `default_version` is that of what the app starts without saying one, see docs/versions.md. In a
    blueprint none of them counts, unless it is the first one of a plain func.FunctionApp. `lifecycle` publishes when
    orchestrations begin and end, in place of Event Grid, see docs/lifecycle-events.md.
    """

    def __init__(
        self,
        http_auth_level: func.AuthLevel | str = func.AuthLevel.FUNCTION,
        *,
        converter: Converter | None = None,
        properties_of: PropertiesOf = own_properties,
        default_version: str | None = None,
        lifecycle: LifecyclePublisher | None = None,
    ) -> None:
        super().__init__(http_auth_level=http_auth_level)
        self.registry = Registry(converter, properties_of, default_version)
        self._engine = Engine(self.registry, lifecycle)
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
            self.settle_names()
            self.warn_of_uncalled()
            self._function_builders.extend(engine_functions(self.engine))
            self._indexed = super().get_functions()
        return self._indexed

    def register_functions(self, function_container: func.DecoratorApi) -> None:
        """Take over a blueprint's functions and, from one with orchestrators or activities, these too.

        Raises DuplicateNameError.
        """
        durable = blueprint_of(function_container)
        if isinstance(function_container, DurableBlueprint):
            durable = function_container
        if durable is not None:
            durable.join(self.engine)
            self.client_functions += durable.client_functions
        super().register_functions(function_container)

    register_blueprint = register_functions

    @classmethod
    def from_classic(
        cls,
        file: str,
        http_auth_level: func.AuthLevel | str = func.AuthLevel.FUNCTION,
        *,
        converter: Converter | None = None,
    ) -> Self:
        """The app of the folder that `file` lies in, made of its function.json folders: `from_classic(__file__)`.

        Raises ConfigurationError, which names the folder, for what cannot be loaded.
        """
        from durable_ext.functions.classic import add_folders

        app = cls(http_auth_level, converter=converter)
        add_folders(app, Path(file).resolve().parent)
        return app


class DurableBlueprint(DurableDecorators, func.Blueprint):
    """Functions, orchestrators and activities that an app takes over with `register_functions`.

    In several apps, as in tests, its functions get the client of the app that took it over last. `http_auth_level` is
    there because azure-functions-durable has it: routes without a level of their own have that of the app.
    """

    def __init__(
        self,
        http_auth_level: func.AuthLevel | str = func.AuthLevel.FUNCTION,
        *,
        converter: Converter | None = None,
        properties_of: PropertiesOf = own_properties,
        default_version: str | None = None,
    ) -> None:
        super().__init__()
        self.registry = Registry(converter, properties_of, default_version)
        container = asking_container()
        self._first = self if container is None else adopt(container, self)
        if container is None:
            self._function_builders = DurableBuilders(self)
        else:
            self.registry = self._first.registry
            self._function_builders = container._function_builders

    @property
    def engine(self) -> Engine:
        """What the functions of the app share. Raises ConfigurationError for a blueprint that is in no app yet."""
        return super().engine if self._first is self else self._first.engine


def named_registry(app: Any) -> Registry:
    """The registry of an app or of a blueprint, with the names that `function_name` gives.

    Raises ConfigurationError when nothing of it is durable, DuplicateNameError.
    """
    durable = app if isinstance(app, DurableDecorators) else blueprint_of(app)
    if durable is not None:
        durable.settle_names()
    return app.registry if isinstance(app, DurableDecorators) else engine_of(app).registry


def engine_of(app: func.FunctionRegister) -> Engine:
    """The engine of an app, plain or not. Raises ConfigurationError when nothing of it is durable."""
    engine: Engine | None = app.engine if isinstance(app, DurableApp) else app.__dict__.get(ENGINE)
    if engine is None:
        raise ConfigurationError("the app has no orchestrations: make it a DurableApp or register a DurableBlueprint")
    return engine
