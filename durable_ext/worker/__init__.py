"""Effects around the engine: sessions, activities, client, janitor. Names no concrete provider."""
