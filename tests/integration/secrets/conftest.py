"""Stores of secrets: moto for AWS, and small servers that check what they are sent for the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from tests.integration.secrets.stores import Aws, Side, make_side
from tests.support.cluster_secrets_server import ClusterSecretsServer
from tests.support.key_vault_server import KeyVaultServer
from tests.support.secret_manager_server import SecretManagerServer


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Return the address of AWS's control plane, as moto plays it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def aws(moto: str) -> Aws:
    """Return an account without secrets."""
    made = Aws(moto)
    made.reset()
    return made


@pytest.fixture
def google() -> Iterator[SecretManagerServer]:
    """Return a project without secrets."""
    server = SecretManagerServer()
    yield server
    server.close()
    assert not server.rejected


@pytest.fixture
def vault() -> Iterator[KeyVaultServer]:
    """Return an empty vault."""
    server = KeyVaultServer()
    yield server
    server.close()
    assert not server.rejected


@pytest.fixture
def cluster() -> Iterator[ClusterSecretsServer]:
    """Return a namespace without secrets."""
    server = ClusterSecretsServer()
    yield server
    server.close()
    assert not server.rejected


@pytest.fixture
def sides(
    aws: Aws, google: SecretManagerServer, vault: KeyVaultServer, cluster: ClusterSecretsServer
) -> dict[str, Side]:
    """Return every store by its name."""
    return {
        each.store: each
        for each in (
            make_side("secrets_manager", aws),
            make_side("parameter_store", aws),
            make_side("secret_manager", google),
            make_side("key_vault", vault),
            make_side("kubernetes", cluster),
        )
    }
