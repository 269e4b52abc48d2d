"""What users write with. Floor 1: no clock, no random, no I/O; times, ids and seeds come in as values."""
