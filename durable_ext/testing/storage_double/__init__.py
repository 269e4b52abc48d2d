"""Azure Storage in memory, on a given clock: what the provider's tests run on in milliseconds (T2, T3).

A differential test holds it to the emulator. `FaultyStorageClient` makes any call of any client fail.
"""

from __future__ import annotations

from durable_ext.testing.storage_double.double import StorageDouble
from durable_ext.testing.storage_double.faults import FaultyStorageClient

__all__ = ["FaultyStorageClient", "StorageDouble"]
