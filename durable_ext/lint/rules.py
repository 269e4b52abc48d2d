"""The rules as data: code, name, what is wrong, the remedy, and an example of both.

docs/lint.md, `durable lint --explain` and the tests of each rule are made from this table.
"""

from __future__ import annotations

from durable_ext.lint.rule import Rule
from durable_ext.lint.rules_outside import OUTSIDE_RULES
from durable_ext.lint.rules_use import USE_RULES
from durable_ext.lint.rules_values import VALUE_RULES

RULES: dict[str, Rule] = {
    rule.code: rule for rule in sorted((*VALUE_RULES, *OUTSIDE_RULES, *USE_RULES), key=lambda rule: rule.code)
}

# Reported whatever is selected: the file was not checked at all.
ALWAYS = frozenset({"DX001", "DX002"})


def matching(prefix: str) -> frozenset[str]:
    """The codes that begin with a prefix; none when it fits no rule."""
    return frozenset(code for code in RULES if code.startswith(prefix))


def explanation(rule: Rule) -> str:
    """What `--explain` prints; the section of docs/lint.md is the same text."""
    parts = [f"### {rule.code} {rule.name}", f"{rule.what} Remedy: {rule.remedy}.", "Wrong:", _fenced(rule.bad)]
    if rule.code not in ALWAYS:
        parts += ["Right:", _fenced(rule.good)]
    return "\n\n".join(parts)


def _fenced(example: str) -> str:
    return "\n".join(["```python", example.strip("\n"), "```"])
