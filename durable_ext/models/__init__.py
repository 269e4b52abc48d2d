"""`durable_ext.models` and its sub-modules, for code that imports from `azure.durable_functions.models`."""

from __future__ import annotations

from durable_ext.functions.submodules import name_in_models, put_submodules

__getattr__ = name_in_models

put_submodules(__name__)
