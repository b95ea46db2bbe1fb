"""Whose credentials sign, when they are renewed, and what a wrong connection says."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError
from heavylift.platforms.aws import credentials as module
from heavylift.platforms.aws.credentials import CredentialSource, Keys
from heavylift.platforms.aws.settings import region_of, tls_of


@pytest.fixture(autouse=True)
def no_credentials_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CA_BUNDLE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def connection(login: str | None = None, password: str | None = None, **extra: Any) -> Connection:
    return Connection("target", "aws", login=login, password=password, extra=extra)


async def keys_of(given: Connection) -> Keys | None:
    return await CredentialSource(given).current()


async def test_login_and_password_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env")
    assert await keys_of(connection("AKIAOWN", "own", aws_session_token="t")) == Keys("AKIAOWN", "own", "t")
    assert await keys_of(connection(aws_access_key_id="AKIAX", aws_secret_access_key="x")) == Keys(
        "AKIAX", "x"
    )


async def test_the_default_chain_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert await keys_of(connection()) == Keys("AKIAENV", "env", "token")


async def test_a_profile_is_read(no_credentials_outside: Path) -> None:
    (no_credentials_outside / "credentials").write_text(
        "[mine]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = p\n"
    )
    (no_credentials_outside / "config").write_text("[profile mine]\nregion = eu-south-2\n")
    given = connection(profile_name="mine")
    assert await keys_of(given) == Keys("AKIAPROFILE", "p")
    assert region_of(given) == "eu-south-2"


async def test_no_credentials_at_all_say_what_to_set() -> None:
    with pytest.raises(CredentialError, match="set login and password"):
        await keys_of(connection())


@pytest.mark.parametrize("half", [connection("AKIAOWN"), connection(password="very-secret")])
async def test_half_a_key_pair_is_refused(half: Connection) -> None:
    with pytest.raises(ConnectionConfigError, match="half of a key pair") as caught:
        await keys_of(half)
    assert "very-secret" not in str(caught.value)


async def test_a_missing_profile_is_told() -> None:
    with pytest.raises(CredentialError, match=r"ProfileNotFound.*\(nobody\)"):
        await keys_of(connection(profile_name="nobody"))
    with pytest.raises(ConnectionConfigError, match="ProfileNotFound"):
        region_of(connection(profile_name="nobody"))


async def test_other_ways_to_assume_a_role_are_refused_by_name() -> None:
    given = connection("AKIAOWN", "own", role_arn="arn:aws:iam::1:role/r", assume_role_method="saml")
    with pytest.raises(ConnectionConfigError, match="saml"):
        await keys_of(given)


async def test_an_anonymous_connection_has_no_keys() -> None:
    assert await keys_of(connection(config_kwargs={"signature_version": "unsigned"})) is None


def refreshing(lives_seconds: float, made: list[int]) -> RefreshableCredentials:
    def fetch() -> dict[str, str]:
        made.append(1)
        expiry = datetime.now(UTC) + timedelta(seconds=lives_seconds)
        return {
            "access_key": f"AKIA{len(made)}",
            "secret_key": "s",
            "token": "t",
            "expiry_time": expiry.isoformat(),
        }

    return RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")


async def test_expiring_credentials_are_renewed_before_use(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(module, "find_credentials", lambda _c: refreshing(60, made))
    source = CredentialSource(connection())
    first = await source.current()
    second = await source.current()
    assert first is not None
    assert second is not None
    assert first.access_key != second.access_key


async def test_lasting_credentials_are_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(module, "find_credentials", lambda _c: refreshing(36_000, made))
    source = CredentialSource(connection())
    assert [await source.current() for _ in range(5)] == [Keys("AKIA1", "s", "t")] * 5
    assert len(made) == 1


async def test_expired_keys_are_looked_up_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "old")
    source = CredentialSource(connection())
    await source.current()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
    assert source.forget_expired()
    assert (await source.current()) == Keys("AKIANEW", "old")
    assert not source.forget_expired()
    source.accepted()
    assert source.forget_expired()


async def test_keys_in_the_connection_cannot_be_renewed() -> None:
    source = CredentialSource(connection("AKIAOWN", "own"))
    await source.current()
    assert not source.forget_expired()


async def test_keys_are_blotted_out_of_texts() -> None:
    source = CredentialSource(connection("AKIAOWN", "own-secret", aws_session_token="the-token"))
    assert source.hide("before") == "before"
    await source.current()
    assert source.hide("AKIAOWN own-secret the-token x") == "*** *** *** x"


def test_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert region_of(connection()) == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert region_of(connection()) == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert region_of(connection()) == "eu-west-2"
    assert region_of(connection(region_name="eu-west-1")) == "eu-west-1"


def test_certificates_are_checked_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tls_of(connection()) is None
    assert tls_of(connection(verify=True)) is None
    assert tls_of(connection(verify="true")) is None
    for value in (False, "false"):
        context = tls_of(connection(verify=value))
        assert context is not None
        assert context.verify_mode is ssl.CERT_NONE
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(ConnectionConfigError, match=r"bundle\.pem"):
        tls_of(connection())


def test_a_private_authority_is_loaded(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")
    with pytest.raises(HeavyliftError):
        tls_of(connection(verify=str(bundle)))
