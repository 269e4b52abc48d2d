"""The engine: pure. History and new events in; events, owed messages and status out (R1). No clock, no I/O."""
