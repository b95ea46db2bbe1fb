"""What is kept of an answer holds no secret, and is bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.inventory.scrub import MAX_ITEMS, MAX_TEXT, scrubbed
from heavylift.redaction import HIDDEN

SECRET = "Zq9-hush-hush"


@pytest.mark.parametrize(
    "value",
    [
        {"MasterUserPassword": SECRET},
        {"Environment": {"Variables": {"ANYTHING": SECRET}}},
        {"Environment": {"Variables": {"DB": f"postgresql://u:{SECRET}@h/db"}}},
        {"environment": [{"name": "ANYTHING", "value": SECRET}]},
        {"Tags": [{"Key": "api_key", "Value": SECRET}]},
        {"ContainerArguments": ["--password", SECRET]},
        {"ContainerArguments": [f"--db-password={SECRET}"]},
        {"ContainerEntrypoint": ["sh", "-c", f"run --token {SECRET}"]},
        {"HyperParameters": {"x": SECRET}},
        {"ConnectionProperties": {"JDBC_CONNECTION_URL": f"jdbc:mysql://h/db?user=a&password={SECRET}"}},
        {"ConnectionString": SECRET},
    ],
)
def test_a_secret_is_not_kept(value: dict[str, Any]) -> None:
    kept = json.dumps(scrubbed(value))
    assert SECRET not in kept
    assert HIDDEN in kept


def test_a_uri_is_kept_without_its_user() -> None:
    assert scrubbed({"definition": f"https://u:{SECRET}@h/x"}) == {"definition": "https://h/x"}


@pytest.mark.parametrize(
    "value",
    [
        {"SecretArn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf"},
        {"Environment": {"EPOCHS": "3", "DATA": "s3://b/x", "ON": "true"}},
        {"KmsKeyId": "1234"},
        {"Name": "x", "Size": 3, "On": True, "None": None},
    ],
)
def test_what_is_no_secret_is_kept(value: dict[str, Any]) -> None:
    assert scrubbed(value) == value


@given(st.text(alphabet="abcdefXYZ0123456789-_", min_size=12, max_size=40).map("q".__add__))
def test_no_text_of_an_environment_variable_is_kept(secret: str) -> None:
    assert secret not in json.dumps(scrubbed({"Environment": {"Variables": {"V": secret}}}))


def test_what_is_long_is_cut() -> None:
    kept = scrubbed({"a": "x" * 10_000, "b": list(range(1000))})
    assert len(kept["a"]) < MAX_TEXT + 100
    assert len(kept["b"]) == MAX_ITEMS
