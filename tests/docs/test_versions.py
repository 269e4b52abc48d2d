"""Every example of docs/versions.md runs as it stands there."""

from __future__ import annotations

from .module_pages import run_as_module


def test_every_example_runs() -> None:
    run_as_module("versions.md", "shop_of_versions")
