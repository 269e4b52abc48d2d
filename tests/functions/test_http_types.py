"""The types of HTTP calls that azure-functions-durable has."""

from __future__ import annotations

import pytest

from durable_ext import DurableHttpRequest, InvalidInputError, ManagedIdentityTokenSource


def test_as_json() -> None:
    source = ManagedIdentityTokenSource("https://management.core.windows.net")
    assert source.to_json() == {"resource": "https://management.core.windows.net", "kind": "AzureManagedIdentity"}
    request = DurableHttpRequest("GET", "https://a.example/x", "{}", {"a": "b"}, source)
    assert request.to_json() == {
        "method": "GET",
        "uri": "https://a.example/x",
        "content": "{}",
        "headers": {"a": "b"},
        "tokenSource": source.to_json(),
    }
    assert DurableHttpRequest(method="GET", uri="https://a.example").to_json() == {
        "method": "GET",
        "uri": "https://a.example",
    }


def test_what_cannot_be() -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        ManagedIdentityTokenSource("")
    with pytest.raises(InvalidInputError):
        DurableHttpRequest("GET", "nowhere")
