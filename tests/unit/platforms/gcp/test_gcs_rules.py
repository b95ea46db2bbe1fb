"""Cloud Storage's rules for names and attributes."""

from __future__ import annotations

import pytest

from heavylift.platforms.gcp.rules import attribute_problems, is_own_name, key_problem
from heavylift.platforms.ports import ObjectAttributes


@pytest.mark.parametrize(
    "key",
    [
        "",
        "k" * 1025,
        "é" * 513,
        "new\nline",
        "carriage\rreturn",
        ".",
        "..",
        ".well-known/acme-challenge/x",
        "\udcff",
        ".heavylift-parts/0123456789abcdef0123456789abcdef/x",
    ],
)
def test_names_against_the_rules_are_named(key: str) -> None:
    assert key_problem(key)


@pytest.mark.parametrize(
    "key",
    [
        "k" * 1024,
        "é" * 512,
        "./a",
        "a/../b",
        "a//b",
        "/a",
        "a/",
        "...",
        "t\tb",
        "\x01",
        ".well-known/x",
        "back\\s",
    ],
)
def test_all_other_names_are_fine(key: str) -> None:
    assert key_problem(key) is None


def test_only_components_of_uploads_are_hidden() -> None:
    assert is_own_name(".heavylift-parts/" + "a" * 32 + "/00001-00000000")
    assert is_own_name(".heavylift-parts/" + "a" * 32 + "/new\nline")
    assert not is_own_name(".heavylift-parts/" + "a" * 31 + "/x")
    assert not is_own_name("x/.heavylift-parts/" + "a" * 32 + "/x")


def test_metadata_over_the_limit_is_named() -> None:
    two = {"k": "v" * 4_096, "l": "v" * 4_094}
    assert attribute_problems(ObjectAttributes(metadata=two)) == []
    assert attribute_problems(ObjectAttributes(metadata=two | {"m": ""}))
    assert len(attribute_problems(ObjectAttributes(metadata=two, tags={"a": "b"}))) == 2


def test_a_metadata_entry_over_the_limit_is_named() -> None:
    assert attribute_problems(ObjectAttributes(metadata={"k" * 1_024: "v" * 4_096})) == []
    assert "1 + 4097 bytes" in attribute_problems(ObjectAttributes(metadata={"k": "v" * 4_097}))[0]
    assert "1026 + 0 bytes" in attribute_problems(ObjectAttributes(metadata={"é" * 513: ""}))[0]


def test_tags_are_noted_and_what_they_replace_is_named() -> None:
    assert attribute_problems(ObjectAttributes()) == []
    problems = attribute_problems(ObjectAttributes(metadata={"heavylift-tags": "mine"}, tags={"a": "b"}))
    assert len(problems) == 2
    assert "lost" in problems[1]
