"""One word per concept (design section 2): none of the words that other engines use for our things."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .source import Module, module, product

# Nowhere in an identifier, whatever stands around it.
NEVER = ("workflow", "saga", "job")

# Not as a word of an identifier; `factory` and `stepwise` have them by accident.
NOT_AS_A_WORD = {"step", "steps", "actor", "actors"}

# Names that are not ours to choose: the host calls its settings AzureWebJobs...
ALLOWED = re.compile(r"(azure)?_?web_?jobs(_?storage)?", re.IGNORECASE)

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def defined_names(source: Module) -> Iterator[tuple[ast.AST, str]]:
    """Every name the module itself gives: to a function, a class, a parameter, a variable, an attribute."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, node.name
        elif isinstance(node, ast.arg):
            yield node, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node, node.asname


def wrong_word(name: str) -> str:
    """The word that does not belong to our language, or nothing."""
    rest = ALLOWED.sub("", name)
    for word in NEVER:
        if word in rest.lower():
            return word
    return next((word.lower() for word in WORD.findall(rest) if word.lower() in NOT_AS_A_WORD), "")


def wrong_words(source: Module) -> list[str]:
    found = [(source.place, part) for part in source.name.split(".")]
    found += [(source.at(node), name) for node, name in defined_names(source)]
    return [f"{place} {name}: {word}" for place, name in found if (word := wrong_word(name))]


def test_one_word_per_concept() -> None:
    assert [wrong for source in product() for wrong in wrong_words(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        "def start_workflow(): ...",
        "class SagaRunner: ...",
        "def f(job_id): ...",
        "pending_jobs = 1",
        "class A:\n    def f(self):\n        self.next_step = 1",
        "import json as job",
        "class ActorRef: ...",
        "for step in (): ...",
        "runJobNow = 1",
    ],
)
def test_a_planted_word_is_found(text: str) -> None:
    assert len(wrong_words(module("durable_ext.worker.x", text))) == 1


def test_a_planted_module_name_is_found() -> None:
    assert len(wrong_words(module("durable_ext.workflows.x", ""))) == 1


@pytest.mark.parametrize("name", ["factory", "stepwise", "AZURE_WEB_JOBS_STORAGE", "AzureWebJobsStorage", "usage"])
def test_words_by_accident_are_no_violation(name: str) -> None:
    assert wrong_word(name) == ""
