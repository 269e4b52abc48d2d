"""The provider for Azure Storage: turns in a table, deliveries in queues, long payloads in blobs (design section 5)."""

from __future__ import annotations

from durable_ext.providers.azure_storage.provider import AzureStorageProvider

__all__ = ["AzureStorageProvider"]
