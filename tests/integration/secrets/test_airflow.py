"""Airflow's connections and variables: found by the backends of the target's Airflow after the move."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend
from airflow.providers.amazon.aws.secrets.systems_manager import SystemsManagerParameterStoreBackend
from airflow.providers.google.cloud.secrets.secret_manager import CloudSecretManagerBackend
from airflow.providers.microsoft.azure.secrets.key_vault import AzureKeyVaultBackend

from tests.integration.secrets.stores import REGION, Aws, copied
from tests.support.key_vault_server import KeyVaultServer
from tests.support.secret_manager_server import SecretManagerServer

URI = "postgresql://u:p@h/db"
JSON = '{"conn_type": "aws", "extra": {"region_name": "eu-west-1"}}'


def fill(aws: Aws) -> None:
    aws.secrets.create_secret(Name="airflow/connections/my_db", SecretString=URI)
    aws.secrets.create_secret(Name="airflow/connections/lake-2", SecretString=JSON)
    aws.secrets.create_secret(Name="airflow/variables/batch_size", SecretString="32")
    aws.secrets.create_secret(Name="airflow/connections/odd", SecretString='{"user": "u", "pass": "p"}')
    aws.secrets.create_secret(Name="unrelated", SecretString="x")


def test_names_are_those_that_the_backends_of_the_target_build(
    aws: Aws, google: SecretManagerServer, vault: KeyVaultServer
) -> None:
    fill(aws)
    wanted: dict[str, Any] = {"stores": ["secrets_manager"], "airflow": {}, "include": ["airflow/**"]}
    for server, backend, sep in (
        (google, CloudSecretManagerBackend, "-"), (vault, AzureKeyVaultBackend, "-"),
    ):  # fmt: skip
        record = copied(aws.connection(), server.connection("there"), **wanted)
        moved = {each.source: each for each in record.rows}
        assert set(moved) == {
            "airflow/connections/my_db", "airflow/connections/lake-2", "airflow/connections/odd",
            "airflow/variables/batch_size",
        }  # fmt: skip
        path = backend.build_path
        assert moved["airflow/connections/my_db"].target == path("airflow-connections", "my_db", sep)
        assert moved["airflow/connections/lake-2"].target == path("airflow-connections", "lake-2", sep)
        assert moved["airflow/variables/batch_size"].target == path("airflow-variables", "batch_size", sep)
        odd = moved.pop("airflow/connections/odd")
        assert (odd.outcome, "conn_type" in odd.reason) == ("refused", True)
        assert {each.outcome for each in moved.values()} == {"created"}


def test_a_backend_of_the_target_gives_the_same_connections(
    aws: Aws, vault: KeyVaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(name, value)
    vault.add("airflow-connections-my-db", URI)
    vault.add("airflow-connections-lake-2", JSON)
    vault.add("airflow-variables-batch-size", "32")
    for store, kind in (
        ("secrets_manager", SecretsManagerBackend), ("parameter_store", SystemsManagerParameterStoreBackend),
    ):  # fmt: skip
        wanted = {"airflow": {"ids": ["lake-2"]}, "target_store": store}
        assert copied(vault.connection(), aws.connection(), **wanted).passed
        backend = kind(region_name=REGION, endpoint_url=aws.url)
        assert backend.get_conn_value("my_db") == URI
        found = json.loads(backend.get_conn_value("lake-2") or "")
        assert json.loads(JSON).items() <= found.items()
        assert backend.get_variable("batch_size") == "32"


def test_prefixes_of_ones_own_are_translated(aws: Aws, google: SecretManagerServer) -> None:
    aws.secrets.create_secret(Name="af/c/my_db", SecretString=URI)
    own = {"source_connections_prefix": "af/c", "target_connections_prefix": "conn", "target_sep": "_"}
    record = copied(aws.connection(), google.connection(), stores=["secrets_manager"], airflow=own)
    assert [each.target for each in record.rows] == ["conn_my_db"]
