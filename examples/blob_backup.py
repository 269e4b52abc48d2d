"""Blob backup: read one blob, put the time in front, write it to another blob.

The time is the orchestration's, the same at every replay; reading and writing are activities. Writing the same content
to the same place again is harmless, so a repeat of the activity is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_ext import DurableBlueprint, OrchestrationContext

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobClient

bp = DurableBlueprint()

CONNECTION = "AzureWebJobsStorage"


@dataclass(frozen=True)
class Place:
    container: str
    name: str


@dataclass(frozen=True)
class Backup:
    source: Place
    target: Place


@dataclass(frozen=True)
class Content:
    place: Place
    text: str


@bp.activity
async def read_blob(place: Place) -> str:
    async with blob_at(place) as blob:
        download = await blob.download_blob(encoding="utf-8")
        return await download.readall()


@bp.activity
async def write_blob(content: Content) -> None:
    async with blob_at(content.place) as blob:
        await blob.upload_blob(content.text, overwrite=True)


@bp.orchestrator
async def blob_backup(ctx: OrchestrationContext, backup: Backup) -> None:
    text = await ctx.call_activity(read_blob, backup.source)
    time = ctx.now.isoformat()
    ctx.logger.info("writing %s at %s", backup.target.name, time)
    await ctx.call_activity(write_blob, Content(backup.target, f"{time}\n{text}"))


def blob_at(place: Place) -> BlobClient:
    # Imported late: the app starts cold more often than it backs up, and this import takes a third of a second.
    from azure.storage.blob.aio import BlobClient

    return BlobClient.from_connection_string(os.environ[CONNECTION], place.container, place.name)
