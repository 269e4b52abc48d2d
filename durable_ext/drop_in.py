"""Importing this makes `import azure.durable_functions` mean this package: one line, at the top of function_app.py."""

from __future__ import annotations

from durable_ext.functions.stand_in import install

install()
