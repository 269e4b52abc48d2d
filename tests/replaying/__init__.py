"""Stored histories against the code of today: what an error says, files of histories, `durable replay`."""
