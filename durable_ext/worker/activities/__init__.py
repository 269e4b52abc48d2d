"""Activities: taken, run here or in child processes, reported on, stopped when nobody waits for them."""
