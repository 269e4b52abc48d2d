"""The benchmarks' own tests: the counts they promise, and that the harness runs."""
