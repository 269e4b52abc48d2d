"""Start, query and command instances. What HTTP, CLI, monitor and users' own functions speak to."""

from __future__ import annotations

from durable_ext.authoring.payload import NULL
from durable_ext.records.payloads import inline
from durable_ext.worker.client.commands import CommandingClient
from durable_ext.worker.client.core import LocalDelivery, unknown, utc_now
from durable_ext.worker.client.entities import EntityClient
from durable_ext.worker.client.events import EventsClient
from durable_ext.worker.client.listing import ListingClient, StatusPage
from durable_ext.worker.client.purges import PurgingClient
from durable_ext.worker.client.rewinds import RewindingClient
from durable_ext.worker.client.starts import StartOptions, start_message
from durable_ext.worker.client.values import ValuesClient

__all__ = ["Client", "LocalDelivery", "StartOptions", "StatusPage", "start_message", "utc_now"]


class Client(RewindingClient, ListingClient, CommandingClient, PurgingClient, EntityClient, ValuesClient, EventsClient):
    """Talks to one task hub. All methods may raise StorageError; ids and names are checked (InvalidInputError).

    Each group of methods has a room of its own beside this one.
    """

    async def restart(self, instance_id: str, *, new_instance_id: bool = True) -> str:
        """Start the orchestration again with the same input; return its id.

        Raises InstanceNotFoundError, and InstanceExistsError when the same id is wanted and it still runs.
        """
        status = await self.get(instance_id)
        if status is None:
            raise unknown(instance_id)
        self._check_known(status.name)
        options = StartOptions(version=status.row.version or "", tags=status.row.tags)
        wanted = None if new_instance_id else instance_id
        # The text itself, so that no number changes on the way.
        return await self._start(status.name, status.row.input or inline(NULL), wanted, options)
