"""How a request proves who sends it: shared key, shared access signature or bearer token.

Shared key signs blob and queue requests with all their parts, table requests in the light form with date and path.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from abc import ABC, abstractmethod
from email.utils import formatdate
from typing import TYPE_CHECKING, assert_never

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.azure_storage.connection import Connection, Identity, SasToken, SharedKey

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

API_VERSION = "2021-12-02"
_SCOPE = "https://storage.azure.com/.default"
# A token is renewed this long before it ends, in seconds.
_EARLY = 300


class Request:
    """One storage request. `path` is percent-encoded, `query` is not; `headers` are what is sent."""

    __slots__ = ("body", "headers", "method", "path", "query", "service")

    def __init__(self, service: str, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes) -> None:
        self.service = service
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.headers: dict[str, str] = {"x-ms-version": API_VERSION}


class Signer(ABC):
    """Adds what storage asks for. `suffix` goes behind the query of every address."""

    suffix: str = ""

    @abstractmethod
    async def sign(self, request: Request) -> None:
        """Add date and authorization to the headers. Called once for every attempt."""

    async def close(self) -> None:
        """Release what the credential holds."""
        return


class _Calendar:
    """The date header; its text is made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


class SharedKeySigner(Signer):
    """HMAC-SHA256 over the request with the account's key."""

    def __init__(self, account: str, key: bytes) -> None:
        self._account = account
        self._key = key
        self._calendar = _Calendar()

    async def sign(self, request: Request) -> None:
        """Add x-ms-date and Authorization."""
        request.headers["x-ms-date"] = self._calendar.now()
        if request.service == "table":
            scheme, text = "SharedKeyLite", self.light_text(request)
        else:
            scheme, text = "SharedKey", self.full_text(request)
        request.headers["Authorization"] = f"{scheme} {self._account}:{self.signature(text)}"

    def signature(self, text: str) -> str:
        """HMAC-SHA256 of a text with the account's key, in base64."""
        return base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()

    def light_text(self, request: Request) -> str:
        """What is signed of a table request."""
        return f"{request.headers['x-ms-date']}\n/{self._account}{request.path}"

    def full_text(self, request: Request) -> str:
        """What is signed of a blob or queue request. Date is empty: x-ms-date stands for it."""
        headers = request.headers
        length = str(len(request.body)) if request.body else ""
        kind, match, none_match = (headers.get(name, "") for name in ("Content-Type", "If-Match", "If-None-Match"))
        marked = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-ms-"))
        resource = f"/{self._account}{request.path}" + "".join(f"\n{n}:{v}" for n, v in sorted(request.query))
        return f"{request.method}\n\n\n{length}\n\n{kind}\n\n\n{match}\n{none_match}\n\n\n{marked}{resource}"


class SasSigner(Signer):
    """The signature is in the address already."""

    def __init__(self, token: str) -> None:
        self.suffix = token

    async def sign(self, request: Request) -> None:
        """Nothing to add."""
        return


class TokenSigner(Signer):
    """A bearer token of azure-identity, renewed before it ends by whoever needs it first."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._credential: DefaultAzureCredential | ManagedIdentityCredential | None = None
        self._token: AccessToken | None = None
        self._renewing = asyncio.Lock()

    async def sign(self, request: Request) -> None:
        """Add Authorization. Raises StorageUnavailableError when no token is to be had: the identity may come yet."""
        token = self._token
        if token is None or token.expires_on - time.time() < _EARLY:
            token = await self._renew()
        request.headers["Authorization"] = f"Bearer {token.token}"

    async def close(self) -> None:
        """Close the credential's own connections."""
        credential, self._credential = self._credential, None
        if credential is not None:
            await credential.close()

    async def _renew(self) -> AccessToken:
        async with self._renewing:
            token = self._token
            if token is None or token.expires_on - time.time() < _EARLY:
                self._token = token = await self._fetch()
            return token

    async def _fetch(self) -> AccessToken:
        from azure.core.exceptions import AzureError

        try:
            return await self._open().get_token(_SCOPE)
        except AzureError as error:
            raise StorageUnavailableError(f"azure-identity gave no token for storage: {error.message}") from error

    def _open(self) -> DefaultAzureCredential | ManagedIdentityCredential:
        if self._credential is None:
            from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

            client_id = self._identity.client_id
            if self._identity.managed:
                self._credential = ManagedIdentityCredential(client_id=client_id)
            elif client_id:
                self._credential = DefaultAzureCredential(managed_identity_client_id=client_id)
            else:
                self._credential = DefaultAzureCredential()
        return self._credential


def signer_of(connection: Connection) -> Signer:
    """The signer for a connection's credential."""
    credential = connection.credential
    match credential:
        case SharedKey():
            return SharedKeySigner(connection.account, credential.key)
        case SasToken():
            return SasSigner(credential.token)
        case Identity():
            return TokenSigner(credential)
        case _:
            assert_never(credential)
