"""The address of an entity: a name, which is that of its code, and a key. As an instance id `@name@key`."""

from __future__ import annotations

import msgspec

from durable_ext.errors import InvalidInputError
from durable_ext.records.ids import ENTITY_MARK, check_name, check_storable
from durable_ext.records.limits import MAX_INSTANCE_ID


class EntityId(msgspec.Struct, frozen=True, order=True):
    """Names are case-insensitive and kept in lower case, keys are as given. `str()` is the instance id.

    Raises InvalidInputError (a ValueError) for an empty name or key, for a name with an `@`, for what no instance id
    may contain, and for more than 256 characters together.
    """

    name: str
    key: str

    def __post_init__(self) -> None:
        check_name("entity name", self.name)
        check_name("entity key", self.key)
        if ENTITY_MARK in self.name:
            raise InvalidInputError(f"entity name {self.name!r} contains {ENTITY_MARK!r}; use other characters")
        msgspec.structs.force_setattr(self, "name", self.name.lower())
        check_storable("entity id", str(self))
        if len(str(self)) > MAX_INSTANCE_ID:
            raise InvalidInputError(f"entity id {str(self)!r} is longer than {MAX_INSTANCE_ID} characters")

    def __str__(self) -> str:
        return f"{ENTITY_MARK}{self.name}{ENTITY_MARK}{self.key}"

    @staticmethod
    def parse(text: str) -> EntityId:
        """The entity id that an instance id spells. Raises InvalidInputError."""
        mark, _, rest = text.partition(ENTITY_MARK)
        name, separator, key = rest.partition(ENTITY_MARK)
        if mark or not separator:
            raise InvalidInputError(f"{text!r} is no entity id; one looks like '@name@key'")
        return EntityId(name, key)

    @staticmethod
    def get_scheduler_id(entity_id: EntityId) -> str:
        """The instance id, under the name that azure-functions-durable gives it."""
        return str(entity_id)

    @staticmethod
    def get_entity_id(scheduler_id: str) -> EntityId:
        """As parse, under the name of azure-functions-durable."""
        return EntityId.parse(scheduler_id)

    @staticmethod
    def get_entity_id_url_path(entity_id: EntityId) -> str:
        """Where the management API has the entity: `entities/{name}/{key}`."""
        return f"entities/{entity_id.name}/{entity_id.key}"
