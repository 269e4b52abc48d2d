"""Whole host processes: killed, interrupted, started before their storage."""
