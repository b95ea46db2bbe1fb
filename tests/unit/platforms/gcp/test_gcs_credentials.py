"""Credentials of a Google connection, with a token endpoint that the test plays."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, ServerUnavailableError
from heavylift.locations import Location
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.platforms.gcp.gcs import GcsStore


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "kid",
        "private_key": pem.decode(),
        "client_email": "mover@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.example.com/token",
    }


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Play every HTTP answer that google-auth asks for; ``answers`` is used up from its front."""
    played = SimpleNamespace(calls=[], answers=[])

    def call(
        _self: Any, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> Any:
        played.calls.append(SimpleNamespace(url=url, method=method, body=body, headers=headers))
        answer = played.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, data = answer
        return SimpleNamespace(status=status, headers={}, data=json.dumps(data).encode())

    monkeypatch.setattr("google.auth.transport.requests.Request.__call__", call)
    return played


def connection(**extra: Any) -> Connection:
    return Connection("gcp_target", "google_cloud_platform", extra=extra)


TOKEN = (200, {"access_token": "t0ken", "expires_in": 3600, "token_type": "Bearer"})


@pytest.mark.parametrize(
    "given",
    [
        lambda key, _path: {"keyfile_dict": key},
        lambda key, _path: {"keyfile_dict": json.dumps(key)},
        lambda key, _path: {"extra__google_cloud_platform__keyfile_dict": json.dumps(key)},
        lambda _key, path: {"key_path": str(path)},
        lambda _key, path: {"extra__google_cloud_platform__key_path": str(path)},
        lambda key, _path: {"keyfile_dict": {**key, "private_key": key["private_key"].replace("\n", "\\n")}},
    ],
)
def test_a_service_account_key_fetches_a_token(
    given: Callable, key: dict[str, str], endpoint: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    endpoint.answers = [TOKEN, TOKEN]
    fetch = token_fetcher(connection(**given(key, path)))
    assert fetch().value == "t0ken"
    assert fetch().expires_at > 1_700_000_000
    assert [call.url for call in endpoint.calls] == ["https://oauth2.example.com/token"] * 2


def test_workload_identity_federation_exchanges_its_token(endpoint: SimpleNamespace, tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text("their-token")
    config = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.example.com/v1/token",
        "credential_source": {"file": str(subject)},
    }
    endpoint.answers = [TOKEN]
    assert token_fetcher(connection(credential_config_file=config))().value == "t0ken"
    assert endpoint.calls[0].url == "https://sts.example.com/v1/token"
    assert urllib.parse.parse_qs(endpoint.calls[0].body.decode())["subject_token"] == ["their-token"]


def test_the_last_of_a_chain_is_impersonated(key: dict[str, str], endpoint: SimpleNamespace) -> None:
    endpoint.answers = [TOKEN, (200, {"accessToken": "other", "expireTime": "2030-01-01T00:00:00Z"})]
    chain = "via@p.iam.gserviceaccount.com, last@p.iam.gserviceaccount.com"
    token = token_fetcher(connection(keyfile_dict=key, impersonation_chain=chain))()
    assert token.value == "other"
    assert "last@p.iam" in endpoint.calls[1].url
    assert json.loads(endpoint.calls[1].body)["delegates"] == ["via@p.iam.gserviceaccount.com"]


@pytest.mark.parametrize(
    "extra",
    [
        {"keyfile_dict": "{}", "key_path": "/x"},
        {"key_secret_name": "s"},
        {"idp_issuer_url": "https://x"},
        {"key_path": "/no/such/file.json"},
        {"keyfile_dict": "{not json: 's3cret'"},
        {"keyfile_dict": {"type": "service_account", "private_key": "s3cret"}},
        {"keyfile_dict": {"type": "unheard-of", "private_key": "s3cret"}},
        {"keyfile_dict": {"private_key": "s3cret"}},
        {"keyfile_dict": '["s3cret"]'},
    ],
)
def test_unusable_fields_are_named_and_no_key_is_shown(extra: dict[str, Any]) -> None:
    with pytest.raises(ConnectionConfigError) as caught:
        token_fetcher(connection(**extra))()
    assert "gcp_target" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_refused_key_is_a_credential_error(key: dict[str, str], endpoint: SimpleNamespace) -> None:
    endpoint.answers = [(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})]
    with pytest.raises(CredentialError, match="invalid_grant") as caught:
        token_fetcher(connection(keyfile_dict=key))()
    assert key["private_key"][30:60] not in str(caught.value)


def test_an_endpoint_that_is_not_reached_may_be_asked_again(
    key: dict[str, str], endpoint: SimpleNamespace
) -> None:
    from google.auth.exceptions import TransportError

    endpoint.answers = [TransportError("connection refused"), TOKEN]
    fetch = token_fetcher(connection(keyfile_dict=key))
    with pytest.raises(ServerUnavailableError, match="connection refused"):
        fetch()
    assert fetch().value == "t0ken"


def test_no_default_credentials_is_a_credential_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.exceptions import DefaultCredentialsError

    def none(scopes: object = None) -> None:
        raise DefaultCredentialsError("no credentials here")

    monkeypatch.setattr("google.auth.default", none)
    with pytest.raises(CredentialError, match="no credentials here"):
        token_fetcher(connection())()


@pytest.mark.parametrize(
    "extra",
    [{"anonymous": True}, {"is_anonymous": "true"}, {"extra__google_cloud_platform__is_anonymous": "1"}],
)
def test_anonymous_access_needs_no_credentials(extra: dict[str, Any]) -> None:
    assert is_anonymous(connection(**extra))
    assert not is_anonymous(connection())


def test_no_token_goes_to_an_unencrypted_endpoint() -> None:
    with pytest.raises(ConnectionConfigError, match="https"):
        GcsStore(Location("gs", "b"), connection(endpoint_url="http://gcs.example.com"))
