"""Keyword arguments of the calls an orchestrator makes."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from durable_ext.authoring.retry import RetryPolicy

Placement = Literal["auto", "local", "queue"]


class ActivityOptions(TypedDict, total=False):
    """`retry`: when to try again. `placement`: where it runs (S3). `result_type`: decodes the result of an activity
    called by name. `tags`: kept in history."""

    retry: RetryPolicy | None
    placement: Placement
    result_type: Any
    tags: dict[str, str] | None


class ChildOptions(TypedDict, total=False):
    """`instance_id`: the child's, else `{execution id}:{n}`. `version`, `retry`, `result_type`, `tags`: as for
    activities."""

    instance_id: str | None
    version: str | None
    retry: RetryPolicy | None
    result_type: Any
    tags: dict[str, str] | None
