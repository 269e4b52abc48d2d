"""The tests of durable_ext."""
