"""The nouns: frozen data that is stored and sent. Floor 0: no clock, no random, no I/O."""
