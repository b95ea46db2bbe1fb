"""What cannot be moved is told by name, and nothing else is kept from moving."""

from __future__ import annotations

import pytest

from heavylift.errors import CredentialError, IncompleteError
from heavylift.secrets.api import require_all
from tests.integration.secrets.stores import Aws, copied, listed, only, verified
from tests.support.cluster_secrets_server import ClusterSecretsServer
from tests.support.key_vault_server import KeyVaultServer
from tests.support.secret_manager_server import SecretManagerServer

SM = {"stores": ["secrets_manager"]}


def test_one_denied_secret_is_named_and_the_others_move(aws: Aws, google: SecretManagerServer) -> None:
    for name in ("a", "b", "c"):
        aws.secrets.create_secret(Name=name, SecretString=f"value of {name}")
    google.denied.add("b")
    google.add("b", b"somebody's")
    record = copied(aws.connection(), google.connection(), **SM)
    assert [(each.source, each.outcome, each.code) for each in record.rows] == [
        ("a", "created", ""), ("b", "failed", "HL-7601"), ("c", "created", ""),
    ]  # fmt: skip
    denied = record.rows[1]
    assert "secrets/b" in denied.reason
    assert "secretmanager.versions.access" in denied.reason
    with pytest.raises(IncompleteError, match=r"1 of 3.*b: failed.*HL-8816"):
        require_all(record)


def test_a_name_that_no_secret_has_is_no_success(aws: Aws, google: SecretManagerServer) -> None:
    aws.secrets.create_secret(Name="prod/a", SecretString="value")
    record = copied(aws.connection(), google.connection(), **SM, include=["prod/*", "prodd/*"])
    assert [(each.source, each.outcome) for each in record.rows] == [
        ("prod/a", "created"),
        ("prodd/*", "missing"),
    ]
    assert not record.passed
    assert record.found == record.created + record.failed == 2


@pytest.mark.parametrize("side", ["source", "target"])
def test_refused_credentials_are_told(aws: Aws, google: SecretManagerServer, side: str) -> None:
    google.unauthorised = True
    if side == "source":
        with pytest.raises(CredentialError, match="HL-7659"):
            copied(google.connection(), aws.connection())
        return
    aws.secrets.create_secret(Name="a", SecretString="value")
    with pytest.raises(CredentialError, match="HL-7659"):
        copied(aws.connection(), google.connection(), **SM)
    assert not google.writes


def test_values_that_the_target_does_not_take_are_refused_before_anything_is_sent(
    google: SecretManagerServer, vault: KeyVaultServer, aws: Aws
) -> None:
    google.add("long", b"x" * 25_001)
    google.add("bytes", b"\xff\x00\xfe")
    google.add("shell", None)
    record = copied(google.connection(), vault.connection())
    told = {each.source: (each.outcome, each.reason) for each in record.rows}
    assert told["long"][0] == told["bytes"][0] == "refused"
    assert "25,000 characters" in told["long"][1]
    assert "25001" not in told["long"][1].replace(",", "")
    assert "Azure Key Vault keeps only text" in told["bytes"][1]
    assert told["shell"] == ("skipped", "it has no value on the source")
    assert not vault.writes
    parameters = {"target_store": "parameter_store", "include": ["long"]}
    too_long = only(copied(google.connection(), aws.connection(), **parameters))
    assert "8,192 bytes" in too_long.reason


def test_bytes_travel_as_base64_where_the_spec_says_so_and_are_compared_as_bytes(
    google: SecretManagerServer, vault: KeyVaultServer
) -> None:
    google.add("key", b"\xff\x00\xfe")
    row = only(copied(google.connection(), vault.connection(), binary="base64"))
    assert (row.outcome, row.form, vault.current("key")["value"]) == ("created", "bytes", "/wD+")
    assert only(verified(google.connection(), vault.connection())).outcome == "equal"
    vault.current("key")["value"] = "no base64!"
    assert only(verified(google.connection(), vault.connection())).code == "HL-8809"


def test_two_secrets_of_one_name_are_both_refused(aws: Aws, vault: KeyVaultServer) -> None:
    for name in ("db/main", "db-main", "DB/main", "other"):
        aws.secrets.create_secret(Name=name, SecretString="value")
    record = copied(aws.connection(), vault.connection(), **SM)
    assert {each.source for each in record.rows if each.outcome == "refused"} == {
        "db/main", "db-main", "DB/main",
    }  # fmt: skip
    names = {"db/main": "db-one", "DB/main": "db-two"}
    assert copied(aws.connection(), vault.connection(), rename={"names": names}, **SM).passed
    assert len(vault.versions) == 4


def test_a_customers_key_needs_a_counterpart(aws: Aws, google: SecretManagerServer) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    aws.secrets.create_secret(Name="a", SecretString="value", KmsKeyId=key)
    both = aws.connection(), google.connection()
    lacking = only(copied(*both, **SM))
    assert (lacking.outcome, key in lacking.reason, google.writes) == ("refused", True, [])
    theirs = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
    wanted = {"keys": {key: theirs}, "target_regions": ["europe-west4"], **SM}
    assert only(copied(*both, **wanted)).key == theirs
    [replica] = google.secrets["a"]["replication"]["userManaged"]["replicas"]
    assert replica == {"location": "europe-west4", "customerManagedEncryption": {"kmsKeyName": theirs}}


def test_what_is_to_be_deleted_or_rotated_or_made_by_a_cluster_is_told(
    aws: Aws, google: SecretManagerServer, cluster: ClusterSecretsServer
) -> None:
    aws.secrets.create_secret(Name="gone", SecretString="value")
    aws.secrets.delete_secret(SecretId="gone")
    gone = only(listed(aws.connection(), google.connection(), **SM))
    assert (gone.outcome, gone.reason) == ("refused", "it is to be deleted")
    cluster.add("robot", {"token": b"t"}, kind="kubernetes.io/service-account-token")
    cluster.add("site", {"tls.crt": b"c", "tls.key": b"k"}, kind="kubernetes.io/tls")
    record = copied(cluster.connection(), google.connection())
    assert [(each.source, each.outcome) for each in record.rows] == [
        ("robot/token", "refused"), ("site/tls.crt", "created"), ("site/tls.key", "created"),
    ]  # fmt: skip
    google.add("turned", b"v", rotation={"nextRotationTime": "2027-01-01T00:00:00Z"})
    google.secrets["turned"]["expireTime"] = "2027-06-01T00:00:00Z"
    row = only(listed(google.connection(), aws.connection(), include=["turned"]))
    assert (row.rotation, row.expires) == ("a message at 2027-01-01T00:00:00Z", "2027-06-01T00:00:00Z")


def test_what_the_target_gives_back_is_the_proof_and_not_its_word(
    aws: Aws, google: SecretManagerServer
) -> None:
    aws.secrets.create_secret(Name="a", SecretString="value")
    google.spoils = True
    record = copied(aws.connection(), google.connection(), **SM)
    assert (only(record).outcome, only(record).equal, record.passed) == ("failed", False, False)


def test_a_lost_answer_leaves_one_secret_that_is_equal(aws: Aws, google: SecretManagerServer) -> None:
    aws.secrets.create_secret(Name="a", SecretString="value")
    google.loses = 1
    assert only(copied(aws.connection(), google.connection(), **SM)).outcome == "created"
    assert set(google.versions["a"]) == {b"value"}
    assert only(copied(aws.connection(), google.connection(), **SM)).outcome == "equal"


def test_a_shell_of_terraforms_is_filled(
    aws: Aws, google: SecretManagerServer, vault: KeyVaultServer
) -> None:
    aws.secrets.create_secret(Name="a", SecretString="value")
    google.add("a", None, labels={"team": "x"})
    vault.add("a", "not set yet", contentType="set by the move of secrets", tags={"team": "x"})
    for target in (google.connection(), vault.connection()):
        assert only(copied(aws.connection(), target, **SM)).outcome == "created"
    assert google.secrets["a"]["labels"] == {"team": "x"}
    made = vault.current("a")
    assert (made["contentType"], made["tags"]) == ("set by the move of secrets", {"team": "x"})
    aws.secrets.create_secret(Name="b")
    shell = only(copied(vault.connection(), aws.connection(), rename={"names": {"a": "b"}}))
    assert (shell.outcome, aws.value("b")) == ("created", b"value")
