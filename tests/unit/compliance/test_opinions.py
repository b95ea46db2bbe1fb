"""A second opinion: asked about few candidates, told without a value, and it takes nothing off."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from heavylift.compliance.columns import MOST_SAMPLES
from heavylift.compliance.gathering import Gathered
from heavylift.compliance.opinions import KINDS, REQUIREMENT, ask, sees
from heavylift.compliance.requests import ScanRequest
from heavylift.compliance.scanning import scan
from heavylift.compliance.text_files import take_text
from heavylift.environments import Solver
from heavylift.errors import UnsupportedError
from heavylift.evidence.compliance_records import Opinion, ScanRecord
from heavylift.locations import Location
from heavylift.platforms.places import Place

SECRET = "ann.canary@example.com"


def stand_in(folder: Path, body: str) -> Path:
    """Write something that is called as an interpreter, and answers as the worker does."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\nimport json, sys\nasked = json.load(sys.stdin)\n{body}\n")
    path.chmod(0o755)
    return path


def seen(agreed: int, asked: int) -> Opinion:
    return Opinion(column="c", kind="US_SSN", entity="us_ssn", asked=asked, agreed=agreed)


def test_few_candidates_of_a_column_are_held_and_none_unless_somebody_asks() -> None:
    lines = "\n".join(f"a line before\nwrite to {n}{SECRET}, please" for n in range(50)).encode()
    asked, silent = Gathered(sampled=True), Gathered()
    for gathered in (asked, silent):
        take_text(gathered, lines, "u")
    [column] = asked.columns.values()
    assert column.samples is not None
    assert len(column.samples) == MOST_SAMPLES
    assert column.samples[0] == f"write to 0{SECRET}, please"
    assert silent.columns[""].samples is None
    assert SECRET not in repr(column)
    assert silent.columns[""].entities == column.entities


@pytest.mark.parametrize(
    ("agreed", "asked", "enough"), [(2, 2, False), (3, 3, True), (3, 6, True), (3, 7, False), (5, 10, True)]
)
def test_one_value_may_pass_any_check_so_half_of_them_must(agreed: int, asked: int, enough: bool) -> None:
    assert sees(seen(agreed, asked)) is enough


def test_opinions_are_told_by_column_and_kind(tmp_path: Path) -> None:
    counts = '[{"US_SSN": 2}, {}]'
    python = stand_in(
        tmp_path, f"assert len(asked['texts']) == 2\nprint('{{\"seconds\": 0, \"counts\": {counts}}}')"
    )
    found = ask({"a": ["1", "2"], "none": [], "b": ["3"]}, python)
    assert found == [Opinion(column="a", kind="US_SSN", entity="us_ssn", asked=2, agreed=2)]
    assert ask({"none": []}, tmp_path / "never run") == []


@pytest.mark.parametrize("body", ["sys.exit(3)", "print('no answer')"])
def test_no_answer_is_no_opinion_and_shows_no_value(tmp_path: Path, body: str) -> None:
    with pytest.raises(UnsupportedError, match="HL-9583") as caught:
        ask({"a": [SECRET]}, stand_in(tmp_path, body))
    assert SECRET not in str(caught.value)


async def scanned(folder: Path, store: Path, **more: bool) -> ScanRecord:
    place = Place(Location("file", str(folder)))
    request = ScanRequest(migration="m", subject="s", place=place, evidence_url=store.as_uri(), **more)
    record, _ = await scan(request)
    return record


async def test_what_presidio_sees_is_added_and_its_silence_takes_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, store = tmp_path / "data", tmp_path / "evidence"
    data.mkdir()
    # Numbers that look like a card's and fail its check, and addresses that hold.
    (data / "t.csv").write_text(
        "code,mail\n" + "".join(f"411111111111111{n % 10},{n}{SECRET}\n" for n in range(2, 9))
    )
    body = (
        "counts = [{'SG_NRIC_FIN': len(t)} if '4111' in t[0] else {} for t in asked['texts']]\n"
        "print(json.dumps({'seconds': 0, 'counts': counts}))"
    )
    python = stand_in(tmp_path, body)
    monkeypatch.setattr(
        Solver, "tool", lambda _solver, requirement, _python: {REQUIREMENT: python}[requirement]
    )
    plain, asked = await scanned(data, store), await scanned(data, store, second_opinion=True)
    assert (plain.opinions, plain.asked_for_opinion, asked.asked_for_opinion) == ((), False, True)
    assert asked.found == plain.found
    assert [(each.column, each.kind, each.agreed) for each in asked.opinions] == [("code", "SG_NRIC_FIN", 7)]
    assert set(plain.classes) <= set(asked.classes)
    assert "2 columns" in asked.statement
    assert "1 columns" in plain.statement
    for path in store.rglob("*.json"):
        assert SECRET not in path.read_text()
        assert "41111111" not in json.dumps(json.loads(path.read_text()))


@pytest.mark.long
def test_presidio_itself_sees_what_it_knows_and_names_no_value() -> None:
    python = Solver().tool(REQUIREMENT, f"{sys.version_info.major}.{sys.version_info.minor}")
    texts = {
        "mail": [f"write to {n}{SECRET}" for n in range(4)],
        "ssn": ["number 856-45-6789"] * 3,
        "singapore": ["S1234567D"] * 3,
        "words": ["the weather is fine"] * 3,
    }
    found = ask(texts, python)
    assert {(each.column, each.kind) for each in found if sees(each)} == {
        ("mail", "EMAIL_ADDRESS"), ("ssn", "US_SSN"), ("singapore", "SG_NRIC_FIN"),
    }  # fmt: skip
    assert {each.kind for each in found} <= set(KINDS)
