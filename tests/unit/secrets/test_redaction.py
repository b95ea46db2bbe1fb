"""Texts of others are told without what could be a credential."""

from __future__ import annotations

import pytest

from heavylift.redaction import HIDDEN, without_credentials, words_without_credentials

SECRET = "hunter2/Zq9"


@pytest.mark.parametrize(
    "words",
    [
        f"postgresql://h/db?password={SECRET}",
        f"run --token {SECRET} now",
        "the key AKIAABCDEFGHIJKLMNOP was refused",
    ],
)
def test_a_text_is_told_without_credentials(words: str) -> None:
    for told in (without_credentials(words), words_without_credentials(words)):
        assert SECRET not in told
        assert "AKIAABCDEFGHIJKLMNOP" not in told
        assert HIDDEN in told


@pytest.mark.parametrize(
    "words",
    [
        f"DB_PASSWORD={SECRET} is wrong",
        f"{{'api_key': '{SECRET}', 'user': 'me'}}",
        f"Authorization: Bearer {SECRET}{SECRET}",
        f"aws_secret_access_key = {SECRET}",
    ],
)
def test_words_of_a_program_are_told_without_what_they_name_a_secret(words: str) -> None:
    told = words_without_credentials(words)
    assert SECRET not in told
    assert HIDDEN in told


def test_a_place_is_told_without_its_user() -> None:
    told = words_without_credentials(f"cannot reach postgresql://scorer:{SECRET.replace('/', '')}@db/prod")
    assert told == "cannot reach postgresql://db/prod"


def test_words_without_a_secret_are_told_as_they_are() -> None:
    words = "s3://bucket/key: 3 tokens, user@example.com, bytes: 12"
    assert words_without_credentials(words) == without_credentials(words) == words
