"""Who we are to the registries of AWS, Google and Azure, by the rules that they publish."""

from __future__ import annotations

import asyncio
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import boto3
import pytest
from moto.server import ThreadedMotoServer

from heavylift.connections import Connection, connection_from_fields
from heavylift.errors import ConnectionConfigError, CredentialError, SpecError
from heavylift.images.opening import open_registries
from heavylift.images.requests import ImagesRequest
from heavylift.platforms.aws.ecr import EcrAccount
from heavylift.platforms.azure.container_registry import ContainerRegistryAccount
from heavylift.platforms.gcp.artifact_registry import ArtifactRegistryAccount
from heavylift.platforms.oci.authorising import Pair
from heavylift.platforms.tokens import Token
from heavylift.spec.sections_containers import Containers
from tests.support.image_moves import RUN, moved
from tests.support.made_images import demand_whole, image, push
from tests.support.oci_server import OciServer

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
GOOGLE, AZURE = "europe-docker.pkg.dev", "models.azurecr.io"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def aws(moto: str, **extra: Any) -> Connection:
    fields = {"region_name": "eu-central-1", "endpoint_url": moto, **extra}
    return connection_from_fields(
        "aws", {"conn_type": "aws", "login": "test", "password": "test", "extra": fields}
    )


def test_ecr_gives_a_password_lists_its_repositories_and_makes_one_once(moto: str) -> None:
    client = boto3.client(
        "ecr", region_name="eu-central-1", endpoint_url=moto,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip

    async def told() -> Any:
        account = EcrAccount(aws(moto), ECR)
        for name in ("ml/b", "ml/a", "ml/b"):
            await account.prepare(name)
        pairs = [await account.credentials(), await account.credentials()]
        return pairs, await account.repositories()

    pairs, repositories = asyncio.run(told())
    assert repositories == ["ml/a", "ml/b"]
    assert pairs[0] == pairs[1]
    assert pairs[0].login == "AWS"
    assert pairs[0].password
    assert pairs[0].password not in repr(pairs)
    assert {each["repositoryName"] for each in client.describe_repositories()["repositories"]} == {
        "ml/a", "ml/b",
    }  # fmt: skip


def test_images_go_to_ecr_where_a_repository_is_made_first(
    moto: str, small: Callable[..., OciServer]
) -> None:
    source, target = small(), small()
    made = image([b"layer"])
    push(source, "ml/new", made, "1")
    there = aws(moto, registry_host=target.host, registry_endpoint=target.url)
    record = moved((f"{source.host}/ml", source.connection("s")), (f"{target.host}/fresh", there))
    assert record.copied == 1
    demand_whole(target, "fresh/new", made, "1")
    found = asyncio.run(EcrAccount(there, target.host).repositories()) or []
    assert "fresh/new" in found
    assert record.rows[0].outcome == "copied"
    assert moved((f"{source.host}/ml", source.connection("s")), (f"{target.host}/fresh", there)).equal == 1


def test_google_takes_an_access_token_and_gets_a_new_one_before_it_runs_out() -> None:
    given = iter(["first", "second"])
    connection = connection_from_fields("gcp", {"conn_type": "google_cloud_platform"})
    account = ArtifactRegistryAccount(connection, GOOGLE, lambda: Token(next(given), 1.0))

    async def told() -> list[Pair | None]:
        return [await account.credentials(), await account.credentials()]

    assert asyncio.run(told()) == [Pair("oauth2accesstoken", "first"), Pair("oauth2accesstoken", "second")]
    nobody = connection_from_fields(
        "gcp", {"conn_type": "google_cloud_platform", "extra": {"anonymous": True}}
    )
    assert asyncio.run(ArtifactRegistryAccount(nobody, GOOGLE).credentials()) is None


class _Exchange(BaseHTTPRequestHandler):
    """What Azure publishes of /oauth2/exchange: a form with these fields and no others."""

    asked: ClassVar[list[dict[str, str]]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
        self.asked.append(form)
        right = (
            self.path == "/oauth2/exchange"
            and self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            and set(form) <= {"grant_type", "service", "tenant", "access_token"}
            and (form["grant_type"], form["service"]) == ("access_token", AZURE)
        )
        known = form.get("access_token") == "of microsoft"
        data = b'{"refresh_token": "of the registry"}' if right and known else b'{"detail": "of microsoft"}'
        self.send_response(200 if right and known else 401 if right else 400)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def test_azure_exchanges_its_token_for_one_of_the_registry() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Exchange)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    fields = {"conn_type": "azure", "extra": {"tenantId": "a-tenant"}}
    connection = connection_from_fields("azure", fields)

    async def told(token: str) -> list[Pair | None]:
        account = ContainerRegistryAccount(connection, AZURE, base, lambda: Token(token, 9e9))
        try:
            return [await account.credentials(), await account.credentials()]
        finally:
            await account.close()

    try:
        _Exchange.asked.clear()
        zeros = "00000000-0000-0000-0000-000000000000"
        assert asyncio.run(told("of microsoft")) == [Pair(zeros, "of the registry")] * 2
        assert [each["tenant"] for each in _Exchange.asked] == ["a-tenant"]
        with pytest.raises(CredentialError) as refused:
            asyncio.run(told("of somebody"))
        assert "of microsoft" not in str(refused.value)
        assert "of somebody" not in str(refused.value)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("kind", "host"),
    [
        ("aws", "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example"),
        ("google_cloud_platform", "docker.pkg.dev.evil.example"),
        ("azure", "models.azurecr.io.evil.example"),
        ("docker", "evil.example"),
    ],
)
def test_a_clouds_credentials_are_for_its_own_registries(kind: str, host: str) -> None:
    fields = {"conn_type": kind, "host": "mine.example", "login": "a", "password": "b"}
    connection = connection_from_fields("mine", fields)
    plain = connection_from_fields("plain", {"conn_type": "docker"})
    wanted = Containers(source="other.example", target=host)

    async def opened() -> None:
        async with open_registries(ImagesRequest(RUN, plain, connection, wanted)):
            pytest.fail("it was opened")

    with pytest.raises(ConnectionConfigError, match="HL-9162"):
        asyncio.run(opened())


def test_a_connection_that_is_none_of_a_registry_is_refused() -> None:
    connection = connection_from_fields("db", {"conn_type": "postgres"})
    wanted = Containers(source="a.example", target="b.example")

    async def opened() -> None:
        async with open_registries(ImagesRequest(RUN, connection, connection, wanted)):
            pytest.fail("it was opened")

    with pytest.raises(SpecError, match="HL-9166"):
        asyncio.run(opened())
