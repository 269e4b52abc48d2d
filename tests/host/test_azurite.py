"""The emulator's starter: what was acknowledged outlives a restart, and its queue sweep takes no time to speak of."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_ext.errors import StorageError
from durable_ext.host import azurite as azurite_module
from durable_ext.host.azurite import Azurite, find_azurite
from durable_ext.providers.azure_storage.client import Entity, Query
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient

_STARTER = Path(azurite_module.__file__).with_name("azurite_start.cjs")
_WRITERS = 60
_WRITTEN = 900

# Counts how often an index of all extents is sorted while 500 of 600 are removed.
_SWEEP = """
const [starter, azurite] = process.argv.slice(1);
require(starter).sweepAtOnce(azurite);
const path = require("path").join(azurite, "common", "persistence");
const Memory = require(path + "/MemoryExtentStore.js");
const Metadata = require(path + "/LokiExtentMetadataStore.js").default;
(async () => {
  const logger = { info: () => undefined, debug: () => undefined };
  const store = new Memory.default("queue", new Memory.MemoryExtentChunkStore(), new Metadata("x", true), logger);
  await store.init();
  const ids = [];
  for (let number = 0; number < 600; number++) {
    ids.push((await store.appendExtent(Buffer.from("text"))).id);
  }
  const extents = store.metadataStore.db.getCollection(store.metadataStore.EXTENTS_COLLECTION);
  let sorted = 0;
  const sort = extents.ensureAllIndexes;
  extents.ensureAllIndexes = function (...given) { sorted++; return sort.apply(this, given); };
  const removed = await store.deleteExtents(new Set(ids.slice(0, 500)));
  const kept = ids.filter((id) => store.chunks.get("queue", id));
  const known = extents.data.map((extent) => extent.id);
  console.log(JSON.stringify([removed, sorted, kept.length, String(kept) === String(known)]));
})();
"""


@pytest.mark.azurite
def test_deleted_messages_are_swept_at_once() -> None:
    command = ["node", "-e", _SWEEP, str(_STARTER), str(find_azurite().parent)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().strip() == "[500,1,100,true]"


class Writers:
    """Write into a table and a queue until storage goes away; `acknowledged` are the numbers answered with success."""

    def __init__(self, client: HttpClient) -> None:
        self.acknowledged: list[int] = []
        self._client = client
        self._enough = asyncio.Event()

    async def write_until_gone(self, server: Azurite) -> None:
        """Stop the server in the midst of it."""
        numbers = itertools.count()
        writers = [asyncio.create_task(self._write(numbers)) for _ in range(_WRITERS)]
        await self._enough.wait()
        await asyncio.to_thread(server.stop)
        await asyncio.gather(*writers)

    async def _write(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            entity: Entity = {"PartitionKey": "p", "RowKey": f"{number:06}"}
            try:
                await asyncio.gather(
                    self._client.insert_entity("Rows", entity), self._client.put_message("queue", f"{number:06}")
                )
            except StorageError:
                return
            self.acknowledged.append(number)
            if len(self.acknowledged) >= _WRITTEN:
                self._enough.set()


async def _written(client: HttpClient) -> tuple[set[int], set[int]]:
    rows = await client.query_entities("Rows", Query(where=(), top=1000))
    assert rows.continuation is None
    texts: list[str] = []
    while found := await client.get_messages("queue", 32, 60):
        texts += [message.text for message in found]
    return {int(str(entity["RowKey"])) for entity in rows.entities}, set(map(int, texts))


@pytest.mark.azurite
def test_what_was_acknowledged_is_there_after_a_restart_on_the_same_ports(tmp_path: Path) -> None:
    server = Azurite(tmp_path)

    async def run() -> None:
        client = HttpClient(parse_connection_string(server.connection_string))
        try:
            await client.create_table("Rows")
            await client.create_queue("queue")
            writers = Writers(client)
            await writers.write_until_gone(server)
            await asyncio.to_thread(server.start)
            rows, messages = await _written(client)
            assert set(writers.acknowledged) - rows == set()
            assert set(writers.acknowledged) - messages == set()
        finally:
            await client.close()

    with server:
        asyncio.run(run())
