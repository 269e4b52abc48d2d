"""Every situation is replayed from every prefix when its test ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from durable_ext.authoring.registry import AnyFunction

from .situation import Situation, registry_of


class Begin(Protocol):
    def __call__(self, main: AnyFunction, *activities: AnyFunction) -> Situation: ...


@pytest.fixture
def begin() -> Iterator[Begin]:
    made: list[Situation] = []

    def make(main: AnyFunction, *activities: AnyFunction) -> Situation:
        made.append(Situation(registry_of(main, *activities)))
        return made[-1]

    yield make
    for situation in made:
        situation.verify()
        situation.live.drop()
