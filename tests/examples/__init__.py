"""Each sample of examples/ run to its end."""
