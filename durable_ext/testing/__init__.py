"""For our users' tests and ours: virtual time, a provider suite to inherit, storage in memory, faults to inject."""
