"""Run an app without the Functions host: pump, server, timers and the `durable` command. The top floor."""
