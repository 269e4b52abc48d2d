"""HTTP on the wire, and what is tried again, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from durable_ext.errors import InvalidInputError, StorageUnavailableError
from durable_ext.providers.azure_storage import proxied, transport, wire
from durable_ext.providers.azure_storage.client import Query, StorageRefusedError
from durable_ext.providers.azure_storage.connection import Connection, SasToken, SharedKey
from durable_ext.providers.azure_storage.http_client import SERVER_TIMEOUT, HttpClient

DROP = b"drop"
SILENCE = b"silence"
GONE = b"HTTP/1.1 404 Not Found\r\nx-ms-error-code: MessageNotFound\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Server Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy"
DONE = b'HTTP/1.1 204 No Content\r\nETag: W/"1"\r\n\r\n'
ROWS = b'{"value":[{"PartitionKey":"a"}]}'


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.0)


class Server:
    """Gives each request the next answer, the last one again and again."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
        """The port, for as long as it is open."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head)
        self.asked.set()
        length = next((line[15:] for line in head.split("\r\n") if line.startswith("Content-Length:")), "0")
        await reader.readexactly(int(length))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == DROP:
            return False
        for byte in b"" if answer == SILENCE else answer:
            writer.write(bytes((byte,)))
        return True


def client_of(url: str, sas: str = "") -> HttpClient:
    credential = SasToken(sas) if sas else SharedKey(b"key")
    return HttpClient(Connection("account", dict.fromkeys(("blob", "queue", "table"), url), credential))


@contextlib.asynccontextmanager
async def served(
    *answers: bytes, tls: ssl.SSLContext | None = None, sas: str = ""
) -> AsyncGenerator[tuple[HttpClient, Server]]:
    server = Server(answers)
    async with server.listening(tls) as port:
        client = client_of(f"{'https' if tls else 'http'}://127.0.0.1:{port}/account", sas)
        try:
            yield client, server
        finally:
            await client.close()


@pytest.mark.parametrize(
    "trouble", [BUSY, DROP, b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", BUSY.replace(b"503", b"429")]
)
def test_trouble_is_tried_again(trouble: bytes) -> None:
    async def main() -> None:
        async with served(trouble, trouble, DONE) as (client, server):
            assert await client.insert_entity("T", {"PartitionKey": "a", "RowKey": ""}) == 'W/"1"'
            assert len(server.requests) == 3

    asyncio.run(main())


@pytest.mark.parametrize("trouble", [BUSY, DROP])
def test_tries_have_an_end(trouble: bytes) -> None:
    async def main() -> None:
        async with served(trouble) as (client, server):
            with pytest.raises(StorageUnavailableError, match="delete message from q failed 6 times") as caught:
                await client.delete_message("q", "id", "receipt")
            assert caught.value.retryable
            assert len(server.requests) == 6

    asyncio.run(main())


def test_an_answer_that_is_no_success_is_not_tried_again() -> None:
    json = b'{"odata.error":{"code":"EntityAlreadyExists"}}'
    conflict = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%b" % (len(json), json)

    async def main() -> None:
        async with served(GONE, conflict) as (client, server):
            with pytest.raises(StorageRefusedError) as caught:
                await client.delete_message("q", "id", "receipt")
            assert (caught.value.status, caught.value.code) == (404, "MessageNotFound")
            with pytest.raises(StorageRefusedError) as caught:
                await client.delete_message("q", "id", "receipt")
            assert (caught.value.status, caught.value.code) == (409, "EntityAlreadyExists")
            assert (len(server.requests), server.connections) == (2, 1)

    asyncio.run(main())


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PATIENCE_SECONDS", 0.05)

    async def main() -> None:
        async with served(SILENCE, DONE) as (client, server):
            await client.delete_message("q", "id", "receipt")
            assert (len(server.requests), server.connections) == (2, 2)

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: %d\r\n\r\n%b" % (len(ROWS), ROWS),
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n%b\r\n%x;x=y\r\n%b\r\n0\r\n\r\n" % (ROWS[:4], len(ROWS) - 4, ROWS[4:]),
    ],
)
def test_bodies_with_a_length_and_in_chunks(body: bytes) -> None:
    async def main() -> None:
        async with served(b"HTTP/1.1 200 OK\r\n" + body) as (client, server):
            assert await client.get_blob("c", "n") == ROWS
            assert await client.get_blob("c", "n") == ROWS
            assert server.connections == 1

    asyncio.run(main())


def test_a_selected_column_that_a_row_has_not_is_left_out() -> None:
    """Storage sends it as null, Azurite not at all (its issue 2535); who asks whether it is there asks the key."""
    body = b'{"value":[{"PartitionKey":"a","BuriedTime":null}]}'

    async def main() -> None:
        async with served(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)) as (client, _):
            page = await client.query_entities("T", Query((), select=("PartitionKey", "BuriedTime")))
            assert page.entities == [{"PartitionKey": "a"}]

    asyncio.run(main())


def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    ended = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    async def main() -> None:
        async with served(ended, ended, DONE) as (client, server):
            for _ in range(4):
                await client.delete_message("q", "id", "receipt")
            assert (len(server.requests), server.connections) == (4, 3)

    asyncio.run(main())


def test_many_calls_at_once_share_a_bounded_number_of_connections() -> None:
    async def main() -> None:
        async with served(DONE) as (client, server):
            await asyncio.gather(*(client.delete_message("q", "id", "receipt") for _ in range(300)))
            assert len(server.requests) == 300
            assert server.connections <= 64

    asyncio.run(main())


def test_a_cancelled_call_does_not_spoil_the_next() -> None:
    async def main() -> None:
        async with served(SILENCE, DONE) as (client, server):
            call = asyncio.create_task(client.delete_message("q", "id", "receipt"))
            await server.asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await client.delete_message("q", "id", "receipt")

    asyncio.run(main())


def test_a_shared_access_signature_is_in_the_address_only() -> None:
    async def main() -> None:
        async with served(DONE, GONE, sas="?sv=1&sig=a%2Bb") as (client, server):
            await client.delete_message("q", "id", "re+ceipt")
            assert server.requests[0].startswith(
                "DELETE /account/q/messages/id?popreceipt=re%2Bceipt&timeout=15&sv=1&sig=a%2Bb HTTP"
            )
            assert "Authorization" not in server.requests[0]
            with pytest.raises(StorageRefusedError) as caught:
                await client.delete_message("q", "id", "receipt")
            assert "sig" not in str(caught.value)

    asyncio.run(main())


def test_storage_gives_a_request_up_before_the_client_does() -> None:
    """P13: each of the three services is told; what carries a blob's content may take its time."""

    async def main() -> None:
        async with served(DONE) as (client, server):
            await client.insert_entity("T", {"PartitionKey": "a", "RowKey": ""})
            await client.delete_table("T")
            await client.delete_queue("q")
            with contextlib.suppress(StorageRefusedError):
                await client.delete_blob("c", "b")
            with contextlib.suppress(StorageRefusedError):
                await client.put_blob("c", "b", b"{}")
        *told, content = [request.split("\r\n")[0] for request in server.requests]
        seconds = int(SERVER_TIMEOUT[1])
        assert [line.count(f"?timeout={seconds} HTTP") for line in told] == [1] * 4
        assert "timeout" not in content
        assert seconds < min(wire.PATIENCE_SECONDS, proxied.READ_SECONDS)

    asyncio.run(main())


@pytest.mark.parametrize("etag", ['W/"a\r\nX-Other: b', 'W/"a\nb', 'W/"a\rb'])
def test_no_value_can_add_a_header(etag: str) -> None:
    async def main() -> None:
        async with served(DONE) as (client, server):
            with pytest.raises(InvalidInputError):
                await client.replace_entity("T", {"PartitionKey": "a", "RowKey": ""}, etag)
            assert server.requests == []

    asyncio.run(main())


def _self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "storage")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


def test_tls_with_a_certificate_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, certificate = _self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def main() -> None:
        async with served(DONE, tls=tls) as (client, _):
            await client.delete_message("q", "id", "receipt")

    asyncio.run(main())


def test_tls_with_a_certificate_that_is_not(tmp_path: Path) -> None:
    tls, _ = _self_signed(tmp_path)

    async def main() -> None:
        async with served(DONE, tls=tls) as (client, server):
            with pytest.raises(StorageUnavailableError, match="SSLCertVerificationError"):
                await client.delete_message("q", "id", "receipt")
            assert server.requests == []

    asyncio.run(main())


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://storage.example/account"

    async def main() -> None:
        server = Server([BUSY, DONE])
        async with server.listening() as port:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
            client = client_of(url)
            await client.delete_message("q", "id", "re+ceipt")
            await client.close()
        assert server.requests[1].startswith(f"DELETE {url}/q/messages/id?popreceipt=re%2Bceipt&timeout=15 HTTP")

    asyncio.run(main())
