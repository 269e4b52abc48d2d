"""The blob backup sample, its two blobs in the storage emulator (seed 004)."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from durable_ext.records.instance import RuntimeStatus
from examples.blob_backup import CONNECTION, Backup, Place

from .drive import World, in_real_time

SOON = timedelta(seconds=30)

pytestmark = pytest.mark.azurite


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, azurite: str) -> str:
    monkeypatch.setenv(CONNECTION, azurite)
    return azurite


def test_the_time_stands_before_the_text(connection: str) -> None:
    backup = Backup(Place("letters", "draft.txt"), Place("letters", "backup.txt"))

    async def run(world: World) -> None:
        async with BlobServiceClient.from_connection_string(connection) as storage:
            container = storage.get_container_client("letters")
            with contextlib.suppress(ResourceExistsError):  # an earlier test in this emulator made it
                await container.create_container()
            await container.upload_blob("draft.txt", "Dear Ada,\nnaïve ☕", overwrite=True)
            before = world.clock()
            instance_id = await world.client.start("blob_backup", backup)
            status = await world.client.wait_for_completion(instance_id, SOON)
            assert status.runtime_status is RuntimeStatus.COMPLETED
            written = await (await container.download_blob("backup.txt", encoding="utf-8")).readall()
        time, _, text = written.partition("\n")
        assert text == "Dear Ada,\nnaïve ☕"
        assert before <= datetime.fromisoformat(time) <= world.clock()

    in_real_time(run)


def test_a_blob_that_is_not_there() -> None:
    backup = Backup(Place("nowhere", "draft.txt"), Place("nowhere", "backup.txt"))

    async def run(world: World) -> None:
        instance_id = await world.client.start("blob_backup", backup)
        status = await world.client.wait_for_completion(instance_id, SOON)
        assert status.failure is not None
        assert status.failure.is_caused_by("ResourceNotFoundError")

    in_real_time(run)
