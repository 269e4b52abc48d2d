"""Every example of docs/key-values.md runs as it stands there."""

from __future__ import annotations

from .module_pages import run_as_module


def test_every_example_runs() -> None:
    run_as_module("key-values.md", "values_of_trips")
