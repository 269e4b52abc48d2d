"""Connection strings and identity settings; errors name the setting and keep the secret."""

from __future__ import annotations

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.providers.azure_storage.connection import (
    Identity,
    SasToken,
    SharedKey,
    connection_from_settings,
    parse_connection_string,
)

KEY = "c2VjcmV0LWtleQ=="


def test_an_account_string() -> None:
    found = parse_connection_string(f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={KEY};")
    assert found.account == "shop"
    assert found.endpoints["queue"] == "https://shop.queue.core.windows.net"
    assert isinstance(found.credential, SharedKey)
    assert found.credential.key == b"secret-key"


def test_an_endpoint_suffix_and_own_endpoints() -> None:
    text = f"AccountName=shop;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn;BlobEndpoint=http://files:1/x/"
    found = parse_connection_string(text)
    assert found.endpoints["table"] == "https://shop.table.core.chinacloudapi.cn"
    assert found.endpoints["blob"] == "http://files:1/x"


@pytest.mark.parametrize(
    ("text", "queue"),
    [
        ("UseDevelopmentStorage=true", "http://127.0.0.1:10001/devstoreaccount1"),
        (
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite",
            "http://azurite:10001/devstoreaccount1",
        ),
    ],
)
def test_development_storage(text: str, queue: str) -> None:
    found = parse_connection_string(text)
    assert (found.account, found.endpoints["queue"]) == ("devstoreaccount1", queue)


def test_a_shared_access_signature() -> None:
    endpoints = ";".join(f"{kind}Endpoint=https://shop.{kind.lower()}.x" for kind in ("Blob", "Queue", "Table"))
    found = parse_connection_string(f"{endpoints};SharedAccessSignature=?sv=2021&sig=a%2Bb")
    assert found.account == "shop"
    assert isinstance(found.credential, SasToken)
    assert found.credential.token == "sv=2021&sig=a%2Bb"


def test_identity_by_account_name() -> None:
    settings = {
        "Store__accountName": "shop",
        "Store__credential": "managedidentity",
        "Store__clientId": "1234",
        "Store__queueServiceUri": "https://other.queue.example/",
    }
    found = connection_from_settings("Store", settings)
    assert found.endpoints["blob"] == "https://shop.blob.core.windows.net"
    assert found.endpoints["queue"] == "https://other.queue.example"
    assert isinstance(found.credential, Identity)
    assert (found.credential.managed, found.credential.client_id) == (True, "1234")


def test_identity_by_addresses() -> None:
    settings = {f"Store__{kind}ServiceUri": f"https://shop.{kind}.example" for kind in ("blob", "queue", "table")}
    found = connection_from_settings("Store", settings)
    assert found.account == "shop"
    assert isinstance(found.credential, Identity)
    assert not found.credential.managed


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "AccountName=shop",
        "AccountKey=hunter2;AccountName=shop",
        f"AccountKey={KEY}",
        f"AccountName=shop;AccountKey={KEY};BlobEndpoint=hunter2",
        f"AccountName=shop;AccountKey={KEY};DefaultEndpointsProtocol=ftp",
        f"AccountName=shop;AccountKey={KEY};QueueEndpoint=http://[",
        "SharedAccessSignature=hunter2",
    ],
)
def test_an_error_names_the_setting_and_not_the_secret(text: str) -> None:
    with pytest.raises(ConfigurationError, match="MyStore") as caught:
        connection_from_settings("MyStore", {"MyStore": text})
    assert "hunter2" not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"MyStore": " "},
        {"MyStore__blobServiceUri": "https://x"},
        {"MyStore__accountName": "a", "MyStore__credential": "x"},
    ],
)
def test_missing_settings_are_named(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="MyStore"):
        connection_from_settings("MyStore", settings)


def test_nothing_shows_the_secret() -> None:
    found = parse_connection_string(f"AccountName=shop;AccountKey={KEY}")
    assert "secret" not in f"{found!r} {found.credential!r} {SasToken('sig=secret')!r}"
