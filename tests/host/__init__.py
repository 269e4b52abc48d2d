"""The host: routes, schedules, pump, server, storage choice and the commands."""
