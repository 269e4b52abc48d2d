"""Shared key: the text that is signed, and the signature; shared access signatures; tokens that are renewed."""

from __future__ import annotations

import asyncio
import base64
import time

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage.connection import Identity
from durable_ext.providers.azure_storage.signing import Request, SharedKeySigner, TokenSigner

KEY = base64.b64decode("c2VjcmV0LWtleQ==")


def test_the_text_of_the_documentation_for_a_blob_request() -> None:
    query = (("restype", "container"), ("comp", "metadata"), ("timeout", "20"))
    request = Request("blob", "GET", "/mycontainer", query, b"")
    request.headers |= {"x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT", "x-ms-version": "2015-02-21"}
    assert SharedKeySigner("myaccount", KEY).full_text(request) == (
        "GET\n\n\n\n\n\n\n\n\n\n\n\n"
        "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
        "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
    )


def test_a_body_is_signed_by_length_and_type() -> None:
    request = Request("queue", "POST", "/account/q/messages", (), b"12345")
    request.headers |= {"x-ms-date": "D", "Content-Type": "application/xml", "If-Match": "e"}
    text = SharedKeySigner("account", KEY).full_text(request)
    assert text.startswith("POST\n\n\n5\n\napplication/xml\n\n\ne\n\n\n\nx-ms-date:D\n")
    assert text.endswith("/account/account/q/messages")


def test_table_requests_are_signed_in_the_light_form() -> None:
    request = Request("table", "GET", "/T(PartitionKey='a',RowKey='')", (("$top", "1"),), b"")
    request.headers["x-ms-date"] = "Sun, 11 Oct 2009 19:52:39 GMT"
    expected = "Sun, 11 Oct 2009 19:52:39 GMT\n/account/T(PartitionKey='a',RowKey='')"
    assert SharedKeySigner("account", KEY).light_text(request) == expected


def test_the_signature_is_hmac_sha256_of_the_text() -> None:
    # The known answer is that of `openssl dgst -sha256 -hmac secret-key -binary | base64`.
    assert SharedKeySigner("account", KEY).signature("D\n/account/T") == "ZwSCUdeu05zV4+udEVNl2LzOviYC25Q4441TUlSfjCI="


@pytest.mark.parametrize(("service", "scheme"), [("table", "SharedKeyLite"), ("blob", "SharedKey")])
def test_the_header_names_scheme_and_account(service: str, scheme: str) -> None:
    request = Request(service, "GET", "/T", (), b"")
    signer = SharedKeySigner("account", KEY)
    asyncio.run(signer.sign(request))
    text = signer.light_text(request) if service == "table" else signer.full_text(request)
    assert request.headers["Authorization"] == f"{scheme} account:{signer.signature(text)}"


class _Credential:
    """Tokens that live for as long as they are told."""

    def __init__(self, *lifetimes: float) -> None:
        self.lifetimes = list(lifetimes)
        self.asked = 0
        self.closed = False

    async def get_token(self, *scopes: str) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        self.asked += 1
        if not self.lifetimes:
            raise ClientAuthenticationError("no identity here")
        await asyncio.sleep(0)
        return AccessToken(f"token-{self.asked}", int(time.time() + self.lifetimes.pop(0)))

    async def close(self) -> None:
        self.closed = True


def _signer(monkeypatch: pytest.MonkeyPatch, credential: _Credential) -> TokenSigner:
    def open_credential(**_: str | None) -> _Credential:
        return credential

    monkeypatch.setattr("azure.identity.aio.ManagedIdentityCredential", open_credential)
    return TokenSigner(Identity(managed=True, client_id="1234"))


async def _authorization(signer: TokenSigner) -> str:
    request = Request("table", "GET", "/T", (), b"")
    await signer.sign(request)
    return request.headers["Authorization"]


def test_a_token_is_fetched_once_and_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = _Credential(3600)

    async def main() -> None:
        signer = _signer(monkeypatch, credential)
        found = await asyncio.gather(*(_authorization(signer) for _ in range(5)))
        assert set(found) == {"Bearer token-1"}
        await signer.close()

    asyncio.run(main())
    assert (credential.asked, credential.closed) == (1, True)


def test_a_token_about_to_end_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[str]:
        signer = _signer(monkeypatch, _Credential(60, 3600))
        return [await _authorization(signer) for _ in range(3)]

    assert asyncio.run(main()) == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]


def test_no_token_is_a_storage_error_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageUnavailableError, match="no identity here"):
        asyncio.run(_authorization(_signer(monkeypatch, _Credential())))
