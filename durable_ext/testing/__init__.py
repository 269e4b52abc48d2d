"""For our users' tests and ours: virtual time, a provider suite to inherit, faults to inject."""
