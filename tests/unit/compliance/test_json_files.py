"""JSON, path by path: the same values whichever way the lines were parsed, and none passed over."""

from __future__ import annotations

import json

import pytest

from heavylift.compliance.gathering import Gathered
from heavylift.compliance.json_files import take_document, take_json

MAIL = "ann@example.com"


def seen(data: bytes) -> tuple[Gathered, dict[str, int]]:
    gathered = Gathered()
    take_json(gathered, data, "f:1")
    return gathered, {name: column.values for name, column in gathered.columns.items()}


def hits(gathered: Gathered) -> dict[str, int]:
    found = {
        name: sum(each.hits for each in column.entities.values()) for name, column in gathered.columns.items()
    }
    return {name: count for name, count in found.items() if count}


def lines(*documents: object) -> bytes:
    return "\n".join(json.dumps(each) for each in documents).encode()


def test_values_are_counted_by_their_paths() -> None:
    gathered, values = seen(
        lines({"a": {"b": [MAIL, "x"], "c": 4}, "d": None, "e": True}, {"a": {"b": ["y"], "c": 5.5}}, [1, 2])
    )
    assert values == {"a.b[]": 3, "a.c": 2, "[]": 2}
    assert hits(gathered) == {"a.b[]": 1}
    assert gathered.unparsed == 0


def test_one_bad_line_changes_nothing_for_the_others() -> None:
    good = [{"mail": MAIL, "n": number} for number in range(5)]
    whole, _ = seen(lines(*good))
    mixed, values = seen(lines(*good) + b"\n{broken " + MAIL.encode() + b"\n\n  \n12\n")
    assert hits(mixed) == hits(whole) | {"": 1}
    assert (mixed.unparsed, values["mail"], values[""]) == (2, 5, 2)


@pytest.mark.parametrize(
    "data",
    [
        f'["{MAIL}"\n"b"]\n1,2'.encode(),
        f'{{"a": "{MAIL}"\n"b": 1}}'.encode(),
        f'{{"a": "{MAIL}"}}, {{"a": 1}}'.encode(),
    ],
)
def test_lines_that_are_documents_only_together_are_read_all_the_same(data: bytes) -> None:
    gathered, _ = seen(data)
    assert sum(hits(gathered).values()) == 1


def test_keys_that_are_data_are_values_and_are_named_nowhere() -> None:
    gathered, values = seen(lines(*({"users": {MAIL: {"n": 1}, "42": {"n": 2}}} for _ in range(3))))
    assert values == {"users.*.n": 6, "users.(keys)": 6}
    assert hits(gathered) == {"users.(keys)": 3}
    assert MAIL not in str(list(gathered.columns))


def test_what_json_can_name_and_utf8_cannot_hold_is_read() -> None:
    gathered, values = seen(b'{"a": "\\ud800 ' + MAIL.encode() + b'"}')
    assert values == {"a": 1}
    assert hits(gathered) == {"a": 1}


def test_deep_nests_end_and_what_lies_deeper_is_looked_at_as_text() -> None:
    deep: object = MAIL
    for _ in range(80):
        deep = {"k": deep}
    gathered, _ = seen(lines(deep))
    assert sum(hits(gathered).values()) == 1
    bottomless = b"[" * 200_000 + b"]" * 200_000
    assert seen(bottomless)[0].unparsed == 1


def test_a_document_of_many_lines() -> None:
    gathered = Gathered()
    assert take_document(gathered, json.dumps([{"mail": MAIL}], indent=2).encode(), "f:1")
    assert hits(gathered) == {"[].mail": 1}
    assert not take_document(Gathered(), b"{broken", "f:1")
