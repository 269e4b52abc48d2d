"""Every example of docs/payloads.md runs as it stands there."""

from __future__ import annotations

import enum
import os
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .module_pages import run_as_module


def test_every_example_runs() -> None:
    run_as_module("payloads.md", "shop_of_payloads", enum=enum, datetime=datetime, os=os, AESGCM=AESGCM)
