"""Route templates: what matches, what is refused, and in which order functions are tried (functions-host.md 6)."""

from __future__ import annotations

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.functions.routes import Template, split_path


def match(template: str, path: str) -> dict[str, str] | None:
    return Template(template).match(split_path(path))


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/orders", "/api/orders", {}),
        ("api/orders", "/API/Orders/", {}),
        ("api/Orders/{id}", "/api/orders/A%20b", {"id": "A b"}),
        ("api/orders/{Id}", "/api/orders/7", {"Id": "7"}),
        ("orders/{id?}", "/orders", {}),
        ("orders/{id?}", "/orders/7", {"id": "7"}),
        ("orders/{id=1}", "/orders", {"id": "1"}),
        ("files/{*rest}", "/files", {}),
        ("files/{*rest}", "/files/a/b.txt", {"rest": "a/b.txt"}),
        ("files/{**rest}", "/files/a/b", {"rest": "a/b"}),
        ("{*all}", "/", {}),
        ("", "/", {}),
        ("file-{id}.txt", "/FILE-7.txt", {"id": "7"}),
        ("{year}-{month}", "/2030-01", {"year": "2030", "month": "01"}),
        ("a/{x}/b/{y}", "/a/1/B/2", {"x": "1", "y": "2"}),
        ("a/{id}", "/a/x%2Fy", {"id": "x%2Fy"}),
        ("a/{id}", "/a/%E2%82%AC", {"id": "€"}),
        ("a+b/{id}", "/a+b/1", {"id": "1"}),
    ],
)
def test_match(template: str, path: str, values: dict[str, str]) -> None:
    assert match(template, path) == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("api/orders", "/api/order"),
        ("api/orders", "/api/orders/7"),
        ("api/orders/{id}", "/api/orders"),
        ("api/orders/{id}", "/api/orders/7/8"),
        ("api/orders/{id}", "/api/orders//"),
        ("orders/{id?}", "/orders/7/8"),
        ("file-{id}.txt", "/file-.txt"),
        ("a.c", "/abc"),
        ("", "/x"),
    ],
)
def test_no_match(template: str, path: str) -> None:
    assert match(template, path) is None


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ("int", "-2147483648", "2147483648"),
        ("int", "7", "7a"),
        ("long", "9223372036854775807", "9223372036854775808"),
        ("bool", "True", "1"),
        ("guid", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b"),
        ("alpha", "abc", "ab1"),
        ("length(3)", "abc", "ab"),
        ("length(2,3)", "ab", "abcd"),
        ("minlength(2)", "ab", "a"),
        ("maxlength(2)", "ab", "abc"),
        ("min(18)", "18", "17"),
        ("max(18)", "18", "19"),
        ("range(1,3)", "3", "4"),
        ("double", "1.5", "x"),
        ("datetime", "2030-01-31", "yesterday"),
        ("int:min(2)", "2", "1"),
        ("INT", "1", "x"),
    ],
)
def test_constraints(constraint: str, good: str, bad: str) -> None:
    template = f"orders/{{id:{constraint}}}"
    assert match(template, f"/orders/{good}") == {"id": good}
    assert match(template, f"/orders/{bad}") is None


def test_an_optional_parameter_may_have_a_constraint() -> None:
    assert match("orders/{id:int?}", "/orders") == {}
    assert match("orders/{id:int?}", "/orders/7") == {"id": "7"}
    assert match("orders/{id:int?}", "/orders/x") is None


@pytest.mark.parametrize(
    "template",
    [
        "a/{id:regex(^x$)}",
        "a/{id:nonsense}",
        "a/{id:length(x)}",
        "a/{id:int(3)}",
        "a/{id",
        "a/id}",
        "{*rest}/b",
        "{id?}/b",
        "a/x{id?}",
        "a/{}",
    ],
)
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match="route"):
        Template(template)
