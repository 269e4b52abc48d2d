"""A connection string or the settings of an identity to endpoints and a credential.

What is wrong is a ConfigurationError that names the setting, never the secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlsplit

from durable_ext.errors import ConfigurationError

# Known to everybody: the account of the storage emulator.
DEVELOPMENT_ACCOUNT = "devstoreaccount1"
DEVELOPMENT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

SERVICES = ("blob", "queue", "table")
_DEVELOPMENT_PORTS = {"blob": 10000, "queue": 10001, "table": 10002}
_PUBLIC_SUFFIX = "core.windows.net"


class SharedKey:
    """The account's key. Its text form does not show it."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def __repr__(self) -> str:
        return "SharedKey(...)"


class SasToken:
    """A shared access signature, a query string without the question mark. Its text form does not show it."""

    def __init__(self, token: str) -> None:
        self.token = token.lstrip("?")

    def __repr__(self) -> str:
        return "SasToken(...)"


class Identity:
    """A managed identity, or with `managed` False whatever azure-identity finds. `client_id` picks one of several."""

    def __init__(self, *, managed: bool, client_id: str | None) -> None:
        self.managed = managed
        self.client_id = client_id

    def __repr__(self) -> str:
        return f"Identity(managed={self.managed})"


Credential = SharedKey | SasToken | Identity


class Connection:
    """Where an account is and how to be let in. `endpoints` are addresses by service, without a slash at the end."""

    def __init__(self, account: str, endpoints: Mapping[str, str], credential: Credential) -> None:
        self.account = account
        self.endpoints = dict(endpoints)
        self.credential = credential

    def __repr__(self) -> str:
        return f"Connection({self.account!r}, {self.credential!r})"


def connection_from_settings(name: str, settings: Mapping[str, str]) -> Connection:
    """The connection that setting `name` holds, else the identity that `name__accountName` and its kin describe."""
    text = settings.get(name, "").strip()
    if text:
        return parse_connection_string(text, name)
    if any(key.startswith(f"{name}__") for key in settings):
        return _identity_connection(name, settings)
    raise ConfigurationError(
        f"the setting {name} is missing; set it to a storage connection string, "
        f"or set {name}__accountName for an identity-based connection"
    )


def parse_connection_string(text: str, setting: str = "connection") -> Connection:
    """The connection of a storage connection string. `setting` is what an error calls it."""
    parts = _parts(text, setting)
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        return _development(parts)
    account = parts.get("accountname", "")
    endpoints = {service: _endpoint(parts, service, setting) for service in SERVICES}
    if "accountkey" in parts:
        if not account:
            raise ConfigurationError(f"{setting} has an AccountKey but no AccountName")
        return Connection(account, endpoints, SharedKey(_key(parts["accountkey"], setting)))
    if "sharedaccesssignature" in parts:
        account = account or urlsplit(endpoints["blob"]).netloc.partition(".")[0]
        return Connection(account, endpoints, SasToken(parts["sharedaccesssignature"]))
    raise ConfigurationError(f"{setting} has neither an AccountKey nor a SharedAccessSignature")


def _parts(text: str, setting: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for number, part in enumerate(filter(None, (piece.strip() for piece in text.split(";"))), start=1):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigurationError(f"{setting} is no connection string: its part {number} is not name=value")
        parts[key.strip().lower()] = value.strip()
    return parts


def _development(parts: Mapping[str, str]) -> Connection:
    proxy = urlsplit(parts.get("developmentstorageproxyuri", "http://127.0.0.1"))
    host = f"{proxy.scheme}://{proxy.hostname}"
    endpoints = {service: f"{host}:{port}/{DEVELOPMENT_ACCOUNT}" for service, port in _DEVELOPMENT_PORTS.items()}
    return Connection(DEVELOPMENT_ACCOUNT, endpoints, SharedKey(base64.b64decode(DEVELOPMENT_KEY)))


def _endpoint(parts: Mapping[str, str], service: str, setting: str) -> str:
    if given := parts.get(f"{service}endpoint"):
        return _checked_url(given, f"{service.capitalize()}Endpoint in {setting}")
    if not parts.get("accountname"):
        raise ConfigurationError(f"{setting} has no AccountName and no {service.capitalize()}Endpoint")
    protocol = parts.get("defaultendpointsprotocol", "https")
    suffix = parts.get("endpointsuffix", _PUBLIC_SUFFIX)
    url = f"{protocol}://{parts['accountname']}.{service}.{suffix}"
    return _checked_url(url, setting)


def _key(text: str, setting: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigurationError(f"the AccountKey in {setting} is not base64")
    return key


def _identity_connection(name: str, settings: Mapping[str, str]) -> Connection:
    def read(key: str) -> str:
        return settings.get(f"{name}__{key}", "").strip()

    account = read("accountName")
    endpoints: dict[str, str] = {}
    for service in SERVICES:
        uri = read(f"{service}ServiceUri") or (account and f"https://{account}.{service}.{_PUBLIC_SUFFIX}")
        if not uri:
            raise ConfigurationError(f"set {name}__accountName, or {name}__{service}ServiceUri")
        endpoints[service] = _checked_url(uri, f"{name}__{service}ServiceUri")
    kind = read("credential").lower()
    if kind not in ("", "managedidentity"):
        raise ConfigurationError(f"{name}__credential is {kind!r}; it takes managedidentity, or nothing")
    identity = Identity(managed=bool(kind), client_id=read("clientId") or None)
    return Connection(account or urlsplit(endpoints["blob"]).netloc.partition(".")[0], endpoints, identity)


def _checked_url(url: str, setting: str) -> str:
    try:
        split = urlsplit(url)
        good = split.scheme in ("http", "https") and bool(split.hostname) and (split.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(f"{setting} holds no address that starts with http:// or https://")
    return url.partition("?")[0].rstrip("/")
