"""The provider for Azure Storage: turns in a table, deliveries in queues, long payloads in blobs (design section 5)."""
