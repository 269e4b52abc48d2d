"""The soak: a mixed load for minutes while processes are killed and storage restarts, then an account of everything."""
