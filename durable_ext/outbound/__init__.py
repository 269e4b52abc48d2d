"""What the engine itself asks of the world outside: HTTP requests of orchestrations."""
