"""Metadata names and values are encoded so that they come back, whatever they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.platforms.azure.names import decode_name, decode_value, encode_name, encode_value

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ANY = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
TRICKY = st.text(alphabet="_x2d5f-a0é", min_size=1, max_size=14)


@given(st.one_of(ANY, TRICKY))
def test_every_name_comes_back_from_an_identifier(name: str) -> None:
    encoded = encode_name(name)
    assert IDENTIFIER.fullmatch(encoded)
    assert decode_name(encoded) == name


@given(TRICKY, TRICKY)
def test_no_two_names_become_one(first: str, second: str) -> None:
    assert (encode_name(first) == encode_name(second)) == (first == second)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("owner", "owner"),
        ("plain_name", "plain_name"),
        ("mlflow-run", "mlflow_x2d_run"),
        ("a.b c", "a_x2e_b_x20_c"),
        ("1st", "_x31_st"),
        ("a1", "a1"),
        ("_x2d_", "_x5f_x2d_"),
        ("é", "_xe9_"),
        ("😀", "_x1f600_"),
        ("_", "_"),
    ],
)
def test_names_as_documented(name: str, encoded: str) -> None:
    assert encode_name(name) == encoded


@pytest.mark.parametrize("name", ["a_xzz_b", "_x41_", "_xffffff_", "Plain"])
def test_a_foreign_name_in_no_form_of_ours_is_left_alone(name: str) -> None:
    assert decode_name(name) == name


@given(st.one_of(st.text(st.characters(exclude_categories=("Cs",)), max_size=30), ANY.map(encode_value)))
def test_every_value_comes_back_from_header_text(value: str) -> None:
    encoded = encode_value(value)
    assert re.fullmatch(r"[!-~]+( [!-~]+)*", encoded)
    assert decode_value(encoded) == value


@pytest.mark.parametrize("value", ["plain", "two words", "a=1, b;c", "=?utf-8?Q?x?="])
def test_values_that_http_carries_are_left_alone(value: str) -> None:
    assert encode_value(value) == value


@pytest.mark.parametrize("value", ["=?utf-8?B?/w==?=", "=?utf-8?B?A?="])
def test_a_foreign_value_that_only_looks_encoded_is_left_alone(value: str) -> None:
    assert decode_value(value) == value
