"""DurableApp as the Functions host and worker see it."""
