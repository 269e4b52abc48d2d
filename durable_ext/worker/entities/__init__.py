"""What the engine does for entities beside what it does for every instance."""
