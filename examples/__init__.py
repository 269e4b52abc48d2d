"""Samples, each a blueprint that function_app.py takes over. Read them in any order."""
