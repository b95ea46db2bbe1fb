"""Names on the target, what its values may be, and which key encrypts them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.platforms.secrets import SecretInfo
from heavylift.secret_values import SecretValue
from heavylift.secrets.naming import GRAMMARS, mapped, target_key, unfit
from heavylift.spec.sections_secrets import BinaryValues, Secrets


def name(source: str, target: str, store: str = "secrets_manager", **wanted: Any) -> str:
    [row] = mapped([SecretInfo(source, store)], Secrets.model_validate(wanted), "aws", target)
    return f"refused: {row.refused}" if row.refused else row.target


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("prod/db", "secret_manager", "prod-db"),
        ("prod/db_main", "key_vault", "prod-db-main"),
        ("prod//db..x", "key_vault", "prod-db-x"),
        ("Prod/DB", "kubernetes", "prod-db/value"),
        ("/prod/db", "secrets_manager", "/prod/db"),
        ("prod/db", "parameter_store", "/prod/db"),
        ("plain", "parameter_store", "plain"),
        ("a" * 200, "key_vault", "refused: "),
        ("aws/x", "parameter_store", "refused: "),
        ("///", "kubernetes", "refused: "),
    ],
)
def test_names_follow_the_targets_grammar(source: str, target: str, expected: str) -> None:
    found = name(source, target)
    assert found.startswith(expected) if expected.startswith("refused") else found == expected


def test_prefixes_separators_and_names_by_hand() -> None:
    rename = {"strip_prefix": "prod/", "add_prefix": "fraud-", "separator": "_"}
    assert name("prod/db/x", "secret_manager", rename=rename) == "fraud-db_x"
    assert name("prod/db/x", "key_vault", rename=rename) == "fraud-db-x"
    by_hand = {"names": {"prod/db": "exactly_this"}}
    assert name("prod/db", "secret_manager", rename=by_hand) == "exactly_this"
    assert name("prod/db", "key_vault", rename=by_hand).startswith("refused: 'exactly_this' is no name")
    assert name("obj/tls.crt", "kubernetes", "kubernetes") == "obj/tls.crt"
    assert name("obj/tls.crt", "secret_manager", "kubernetes") == "obj-tls-crt"


def test_patterns_choose_and_exclude_wins() -> None:
    found = [SecretInfo(each, "parameter_store") for each in ("/a/x", "/a/y", "/a/deep/z", "/b/x")]
    wanted = Secrets.model_validate({"include": ["a/**"], "exclude": ["a/y"]})
    assert [each.info.name for each in mapped(found, wanted, "aws", "secret_manager")] == [
        "/a/deep/z",
        "/a/x",
    ]


@given(st.text(min_size=1, max_size=300), st.sampled_from(sorted(GRAMMARS)))
def test_no_name_leaves_that_the_target_would_refuse(source: str, target: str) -> None:
    rows = mapped([SecretInfo(source, "secrets_manager")], Secrets(), "aws", target)
    assert all(row.refused or GRAMMARS[target].name.fullmatch(row.target) for row in rows)


@pytest.mark.parametrize(
    ("target", "longest"),
    [
        ("secrets_manager", 65_536), ("parameter_store", 8_192), ("secret_manager", 65_536),
        ("key_vault", 25_000), ("kubernetes", 2**20),
    ],
)  # fmt: skip
def test_the_longest_value_is_taken_and_one_more_is_not(target: str, longest: int) -> None:
    assert unfit(SecretValue.of_text("x" * longest), target, BinaryValues.REFUSE) == ("", "")
    why, _ = unfit(SecretValue.of_text("x" * (longest + 1)), target, BinaryValues.REFUSE)
    assert f"{longest:,}" in why
    assert f"{longest + 1:,}" not in why


def test_empty_values_and_bytes_where_they_are_not_taken() -> None:
    empty, raw = SecretValue.of_text(""), SecretValue.of_bytes(b"\xff")
    assert not unfit(empty, "kubernetes", BinaryValues.REFUSE)[0]
    assert "empty" in unfit(empty, "secret_manager", BinaryValues.REFUSE)[0]
    assert not unfit(raw, "secret_manager", BinaryValues.REFUSE)[0]
    assert not unfit(raw, "key_vault", BinaryValues.BASE64)[0]
    assert "only text" in unfit(raw, "key_vault", BinaryValues.REFUSE)[0]
    assert "bytes" in unfit(raw, "parameter_store", BinaryValues.BASE64)[0]
    long = SecretValue(b"\xff" * 18_751, text=False)
    assert "25,000" in unfit(long, "key_vault", BinaryValues.BASE64)[0]


def test_a_customers_key_is_mapped_or_stands_in_the_way() -> None:
    info, wanted = SecretInfo("a", "s", key="k"), Secrets(keys={"k": "theirs"})
    assert target_key(SecretInfo("a", "s"), wanted, "secret_manager") == ("", "")
    assert target_key(info, wanted, "secret_manager") == ("theirs", "")
    assert target_key(info, Secrets(keys={"k": "default"}), "key_vault") == ("", "")
    assert "no counterpart" in target_key(info, Secrets(), "secret_manager")[1]
    assert "cannot encrypt one secret" in target_key(info, wanted, "key_vault")[1]
