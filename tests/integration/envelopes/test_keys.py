"""Envelopes with every service of keys: AWS KMS as moto plays it, small servers for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from heavylift.connections import Connection
from heavylift.envelopes.requests import KeyChoice
from heavylift.errors import CredentialError
from tests.support.envelopes import Envelopes, local_key
from tests.support.key_servers import RING, CloudKmsServer, VaultKeysServer

REGION = "eu-west-1"


@dataclass
class Service:
    """A service of keys.

    :param one: a key; ``other`` another one of the same service.
    :param rotate: makes a new version of the first.
    :param names: what the key file calls the first.
    """

    kind: str
    one: KeyChoice
    other: KeyChoice
    rotate: Callable[[], object]
    names: str


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def google() -> Iterator[CloudKmsServer]:
    server = CloudKmsServer()
    yield server
    server.close()
    assert not server.rejected


@pytest.fixture
def vault() -> Iterator[VaultKeysServer]:
    server = VaultKeysServer()
    yield server
    server.close()
    assert not server.rejected


def aws_service(url: str) -> Service:
    kms = boto3.client("kms", endpoint_url=url, region_name=REGION, aws_access_key_id="t",
                       aws_secret_access_key="t")  # fmt: skip
    arns = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    extra = {"endpoint_url": url, "region_name": REGION, "config_kwargs": {"retries": {"max_attempts": 0}}}
    connection = Connection("aws_keys", "aws", login="t", password="t", extra=extra)
    one, other = (KeyChoice(connection, arn) for arn in arns)
    return Service("aws_kms", one, other, lambda: kms.enable_key_rotation(KeyId=arns[0]), arns[0])


def google_service(server: CloudKmsServer) -> Service:
    one, other = f"{RING}/one", f"{RING}/other"
    server.rotate(one)
    server.rotate(other)
    choices = [KeyChoice(server.connection(), name) for name in (one, other)]
    return Service("google_kms", *choices, lambda: server.rotate(one), one)


def vault_service(server: VaultKeysServer) -> Service:
    server.rotate("one")
    server.rotate("other")
    choices = [KeyChoice(server.connection(), name) for name in ("one", "other")]
    return Service("azure_key_vault", *choices, lambda: server.rotate("one"), "/keys/one/")


@pytest.fixture(params=["aws", "google", "vault"])
def service(
    request: pytest.FixtureRequest, moto: str, google: CloudKmsServer, vault: VaultKeysServer
) -> Service:
    if request.param == "aws":
        return aws_service(moto)
    return google_service(google) if request.param == "google" else vault_service(vault)


@pytest.fixture
def made(tmp_path: Path, service: Service) -> Envelopes:
    made = Envelopes.of_folders(tmp_path, service.one)
    for number in range(3):
        (tmp_path / "plain" / f"model-{number}.bin").write_bytes(bytes([number]) * 3000)
    return made


def test_sealed_and_opened_by_it(made: Envelopes, service: Service) -> None:
    record = made.act("seal")
    assert record.passed
    assert record.key.startswith(f"{service.kind}: ")
    assert service.names in record.key
    assert made.act("verify").passed


def test_what_its_older_version_wrapped_opens_after_a_rotation(made: Envelopes, service: Service) -> None:
    made.act("seal")
    service.rotate()
    assert made.act("verify").passed


def test_another_key_of_it_is_refused_by_name(made: Envelopes, service: Service) -> None:
    made.act("seal")
    record = made.act("verify", key=service.other)
    assert (record.failed, record.passed) == (3, False)
    assert service.names in record.failures[0]
    assert made.act("verify").passed


def test_moved_to_a_key_of_the_customers_own_and_back(made: Envelopes, service: Service) -> None:
    made.act("seal")
    own = local_key()
    assert made.act("rewrap", new_key=own).passed
    assert made.act("verify", key=own).passed
    foreign = made.act("verify")
    assert not foreign.passed
    assert "expected the key key/" in foreign.failures[0]
    assert made.act("rewrap", key=own, new_key=service.other).passed
    assert made.act("verify", key=service.other).passed


def test_a_wrapped_key_of_another_object_does_not_open(made: Envelopes, service: Service) -> None:
    """AWS and Google bind it themselves; RSA binds nothing, and there the cipher's derived key differs."""
    import json

    made.act("seal")
    one, other = (next((made.root / "sealed").glob(f"model-{n}.bin.*.sealed-key")) for n in (0, 1))
    found = json.loads(one.read_text())
    found["wrapped"] = json.loads(other.read_text())["wrapped"]
    one.write_text(json.dumps(found))
    record = made.act("verify")
    assert record.failed == 1
    assert record.failures[0].startswith("model-0.bin: ")


def test_google_that_is_spoilt_on_its_way_is_noticed(tmp_path: Path, google: CloudKmsServer) -> None:
    service = google_service(google)
    made = Envelopes.of_folders(tmp_path, service.one)
    (tmp_path / "plain" / "model.bin").write_bytes(b"x")
    google.spoils = True
    record = made.act("seal")
    assert "HL-9347" in record.failures[0]
    assert not list((tmp_path / "sealed").iterdir())


@pytest.mark.parametrize("which", ["google", "vault"])
def test_a_key_that_nobody_may_use_ends_it_at_once(
    tmp_path: Path, which: str, google: CloudKmsServer, vault: VaultKeysServer
) -> None:
    service = google_service(google) if which == "google" else vault_service(vault)
    made = Envelopes.of_folders(tmp_path, service.one)
    (tmp_path / "plain" / "model.bin").write_bytes(b"x")
    (google if which == "google" else vault).denied.add(service.one.name)
    with pytest.raises(CredentialError) as refused:
        made.act("seal")
    # The servers' refusals echo what they were sent: nothing of it may be shown.
    assert "plaintext" not in str(refused.value)
    assert "value" not in str(refused.value)
    assert not list((tmp_path / "sealed").iterdir())


def test_a_key_that_does_not_exist_is_told(tmp_path: Path, google: CloudKmsServer) -> None:
    made = Envelopes.of_folders(tmp_path, KeyChoice(google.connection(), f"{RING}/none"))
    (tmp_path / "plain" / "model.bin").write_bytes(b"x")
    record = made.act("seal")
    assert not record.passed
    assert "HTTP 404" in record.failures[0]
