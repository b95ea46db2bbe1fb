"""No secret lives in a spec, and none gets into a message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from heavylift.spec import SpecFileError, load_spec
from heavylift.spec.secrets import names_secret, show
from tests.unit.spec.samples import MINIMAL, minimal, problems_of, write

CANARY = "hunter2Canary9"
RANDOM_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "key",
    [
        "password", "Password", "db_password", "secret", "secretKey", "secret-access-key", "access_key",
        "aws_access_key_id", "aws_secret_access_key", "accountKey", "sas", "sas_token", "token",
        "client_secret", "private_key", "connection_string", "credentials", "apiKey", "passphrase",
    ],
)  # fmt: skip
def test_a_key_that_names_a_secret_is_refused_and_its_value_not_shown(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, f"{MINIMAL}    {key}: {CANARY}\n")
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    [problem] = caught.value.problems
    assert problem.code == "2132"
    assert problem.mark.line == 10
    assert "keep it in an Airflow connection" in problem.render()
    assert CANARY not in str(caught.value)
    assert CANARY not in str(caught.value.attrs())


@pytest.mark.parametrize(
    "key", ["tokens", "keys", "secrets_manager", "passwords_table", "sasha", "monkey", "connection", "asset"]
)
def test_a_key_that_only_looks_alike_is_none(key: str) -> None:
    assert not names_secret(key)


@pytest.mark.parametrize("place", ["x-mine", "description"])
@pytest.mark.parametrize(
    "value",
    [
        "AKIAIOSFODNN7EXAMPLE",
        f"https://user:{CANARY}@host/db",
        f"https://account.blob.core.windows.net/c?sv=2024&sig={CANARY}",
        f"DefaultEndpointsProtocol=https;AccountKey={CANARY}==",
        f"-----BEGIN RSA PRIVATE KEY----- {CANARY}",
    ],
)
def test_a_value_that_is_a_secret_is_refused_wherever_it_stands(
    tmp_path: Path, place: str, value: str
) -> None:
    data = {**minimal(), place: value}
    path = write(tmp_path, yaml.safe_dump(data, width=1000))
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    [problem] = caught.value.problems
    assert (problem.code, problem.field) == ("2132", place)
    assert CANARY not in str(caught.value)
    assert "AKIA" not in str(caught.value)


def test_credentials_in_a_url_are_told_once(tmp_path: Path) -> None:
    text = MINIMAL.replace("s3://fraud", f"s3://key:{CANARY}@fraud")
    [problem] = problems_of(tmp_path, text)
    assert problem.code == "2132"
    assert CANARY not in problem.render()


def test_a_secret_among_the_arguments_of_an_expectation_is_found(tmp_path: Path) -> None:
    data = minimal()
    data["datasets"][0]["expectations"] = [
        {
            "name": "rows",
            "format": "csv",
            "path": "*.csv",
            "suite": [{"type": "expect_column_to_exist", "kwargs": {"column": "id", "token": CANARY}}],
        }
    ]
    [problem] = problems_of(tmp_path, yaml.safe_dump(data))
    assert problem.field == "datasets[0].expectations[0].suite[0].kwargs.token"
    assert CANARY not in problem.render()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("aws_source", f"'{RANDOM_KEY}'"),
        ("aws_source", f"'postgres://me:{CANARY}@host/x y'"),
        ("fraud-scoring", RANDOM_KEY),
        ("platform: aws", f"platform: '{RANDOM_KEY}'"),
        ("owner:", f"'{RANDOM_KEY}': x\nowner:"),
        ("owner:", f"'{RANDOM_KEY}': x\n'{RANDOM_KEY}': x\nowner:"),
        ("s3://fraud/training/", RANDOM_KEY),
    ],
)
def test_a_secret_pasted_into_the_wrong_field_is_not_shown_nor_hinted_at(
    tmp_path: Path, old: str, new: str
) -> None:
    path = write(tmp_path, MINIMAL.replace(old, new, 1))
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    for text in (str(caught.value), str(caught.value.attrs())):
        assert CANARY not in text
        assert RANDOM_KEY[:12] not in text
        assert RANDOM_KEY[:12].lower() not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        (1.5, "1.5"),
        ("", "an empty text"),
        ({}, "an empty mapping"),
        ({"a": 1}, "a mapping"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        ("plain", "'plain'"),
        ("a" * 200, "'" + "a" * 80 + "…'"),
        ("line\nbreak", r"'line\nbreak'"),
    ],
)
def test_values_are_shown_short_and_in_words(value: object, shown: str) -> None:
    assert show(value) == shown
