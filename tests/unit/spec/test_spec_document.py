"""How YAML is read: marks, words, and all that YAML can do that a spec must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.spec import load_spec
from heavylift.spec.document import MAX_DEPTH, MAX_NODES, read_document
from heavylift.spec.problems import Mark, SpecFileError
from tests.unit.spec.samples import MINIMAL, problems_of


def value_of(text: str) -> object:
    document = read_document(f"key: {text}\n", "f")
    assert not document.problems
    return document.data["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("FALSE", False),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("n", "n"),
        ("null", None), ("~", None), ("", None), ("'null'", "null"), ("'true'", "true"),
        ("12", 12), ("-3", -3), ("+3", 3), ("007", 7), ("'12'", "12"), ("!!str 12", "12"),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("1.", 1.0),
        ("12:30", "12:30"), ("1_000", "1_000"), ("0x10", "0x10"), ("1.2.3", "1.2.3"),
        ("2026-11-22", "2026-11-22"), (".inf", ".inf"), ("9" * 40, "9" * 40),
        ("[1, a, [true]]", [1, "a", [True]]), ("{a: 1, on: 2}", {"a": 1, "on": 2}),
    ],
)  # fmt: skip
def test_plain_words_become_what_they_look_like(text: str, value: object) -> None:
    read = value_of(text)
    assert read == value
    assert type(read) is type(value)


def test_every_key_and_value_has_its_mark() -> None:
    document = read_document("a:\n  - b: 1\n    c:   two\n", "f.yaml")
    assert document.mark(("a",), key=True) == Mark("f.yaml", 1, 1)
    assert document.mark(("a", 0)) == Mark("f.yaml", 2, 5)
    assert document.mark(("a", 0, "c"), key=True) == Mark("f.yaml", 3, 5)
    assert document.mark(("a", 0, "c")) == Mark("f.yaml", 3, 10)
    assert document.mark(("a", 0, "c", "deeper")) == Mark("f.yaml", 3, 10), "the nearest thing around it"


def test_columns_count_characters_not_bytes() -> None:
    document = read_document('{"ä€😀": x, b: 1}\n', "f")
    assert document.mark(("b",), key=True) == Mark("f", 1, 12)


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "said"),
    [
        ("", "2106", 0, 0, "an empty file"),
        ("# only a comment\n", "2106", 0, 0, "an empty file"),
        ("---\n...\n", "2106", 2, 1, "an empty file"),
        ("- a\n- b\n", "2107", 1, 1, "got a list"),
        ("just words\n", "2107", 1, 1, "got a single value"),
        ("a: [1, 2\nb: 3\n", "2105", 2, 2, "well-formed YAML"),
        ("a: 1\n\tb: 2\n", "2105", 2, 1, "spaces, not tabs"),
        ("a: *nobody\n", "2110", 1, 4, "an alias of an anchor that stands before it"),
        ("a: &x [*x]\n", "2110", 1, 8, "inside its own anchor"),
        ("a: 1\n---\nb: 2\n", "2113", 2, 1, "a second YAML document"),
        ("? [a]\n: 1\n", "2114", 1, 3, "a key that is not text"),
        ("a: " + "[" * 200, "2112", 1, 4 + MAX_DEPTH, f"at most {MAX_DEPTH} levels"),
        ("a: \x07\n", "2104", 1, 4, "the character U+0007"),
        ("a: 1\nb: \x85\ufffe\n", "2104", 2, 5, "the character U+FFFE"),
    ],
)
def test_a_text_that_is_no_spec_is_told_where(
    tmp_path: Path, text: str, code: str, line: int, column: int, said: str
) -> None:
    [problem] = problems_of(tmp_path, text)
    assert (problem.code, problem.mark.line, problem.mark.column) == (code, line, column)
    assert said in problem.render()


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("x-a: !!python/object/apply:os.system [id]", "2109", "python/object/apply:os.system"),
        ("x-a: !Secret me", "2109", "got the tag '!Secret'"),
        ("x-a: !!int 5", "2109", "plain YAML without tags"),
        ("x-a: {<<: 5}", "2115", "an alias of a mapping"),
        ("owner: again", "2108", "each key once (first on line 3)"),
        ("x-a: {b: 1, b: 2}", "2108", "the key 'b' again"),
    ],
)
def test_a_line_that_yaml_allows_and_a_spec_does_not(tmp_path: Path, line: str, code: str, said: str) -> None:
    [problem] = problems_of(tmp_path, f"{MINIMAL}{line}\n")
    assert (problem.code, problem.mark.line) == (code, 10)
    assert said in problem.render()


def test_an_explicit_key_wins_over_a_merged_one_wherever_it_stands() -> None:
    document = read_document("m: &m {a: 1, b: 1}\nn: {a: 2, <<: *m}\no: {<<: *m, b: 3}\n", "f")
    assert document.data["n"] == {"a": 2, "b": 1}
    assert document.data["o"] == {"a": 1, "b": 3}
    assert not document.problems


def test_the_earlier_of_two_merged_mappings_wins() -> None:
    document = read_document("m: &m {a: 1}\nn: &n {a: 2, b: 2}\no: {<<: [*m, *n]}\n", "f")
    assert document.data["o"] == {"a": 1, "b": 2}


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    levels = ["x-0: &l0 [a, a, a, a, a, a, a, a, a, a]"]
    levels += [f"x-{n}: &l{n} [{', '.join(10 * [f'*l{n - 1}'])}]" for n in range(1, 10)]
    [problem] = problems_of(tmp_path, MINIMAL + "\n".join(levels))
    assert problem.code == "2111"
    assert f"at most {MAX_NODES}" in problem.render()


def test_merges_cannot_blow_up(tmp_path: Path) -> None:
    lines = ["x-0: &l0 {" + ", ".join(f"k{n}: 1" for n in range(300)) + "}"]
    lines += [f"x-{n}: {{<<: [{', '.join(100 * ['*l0'])}]}}" for n in range(1, 10)]
    assert [p.code for p in problems_of(tmp_path, MINIMAL + "\n".join(lines))] == ["2111"]


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load_spec(path).owner == "payments-ml"


@pytest.mark.parametrize(
    ("raw", "code", "line", "column", "said"),
    [
        (b"a: 1\nb: \xff\n", "2103", 2, 4, "got the byte 0xff, expected text in UTF-8"),
        ("a: é".encode("latin-1"), "2103", 1, 4, "0xe9"),
        (MINIMAL.encode("utf-16"), "2103", 1, 1, "text in UTF-8"),
        (b"#" * (2**20 + 1), "2102", 0, 0, "more than 1 MiB"),
    ],
)
def test_a_file_that_is_no_text_is_told(
    tmp_path: Path, raw: bytes, code: str, line: int, column: int, said: str
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    [problem] = caught.value.problems
    assert (problem.code, problem.mark.line, problem.mark.column) == (code, line, column)
    assert said in str(caught.value)


def test_a_file_of_exactly_one_mebibyte_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(MINIMAL.encode() + b"#" * (2**20 - len(MINIMAL)))
    assert load_spec(path).migration == "fraud-scoring"


def test_a_reader_without_the_c_parser_reads_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    from heavylift.spec import document

    fast = document.read_document(MINIMAL, "f")
    monkeypatch.setattr(document, "_LOADER", yaml.BaseLoader)
    slow = document.read_document(MINIMAL, "f")
    assert (slow.data, slow.keys, slow.values) == (fast.data, fast.keys, fast.values)
