"""Each error code of the source has an entry in the runbook and in the packed data, and none is stale."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from heavylift import errors
from heavylift.cli import SUBCOMMANDS, app
from heavylift.cli.run import run
from heavylift.report.codes import explain, known_codes
from sandbox import error_runbook
from sandbox.error_areas import AREAS, BY_CODE, FAMILIES, NOTES
from sandbox.error_catalogue import Site
from tests.unit.house.modules import REPOSITORY, code_sites


@pytest.fixture(scope="module")
def sites() -> list[Site]:
    return list(code_sites())


@pytest.fixture
def found_once(sites: list[Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_runbook, "find_sites", lambda: sites)


def test_each_code_in_the_source_has_an_entry_and_none_is_stale(sites: list[Site]) -> None:
    codes = sorted({site.code for site in sites})
    assert list(known_codes()) == codes
    page = error_runbook.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^### HL-([0-9]{4})$", page, re.MULTILINE) == codes


def test_page_and_data_are_what_the_source_gives(found_once: None) -> None:
    assert error_runbook.main(["--check"]) == 0, "run: python -m sandbox.error_runbook"


def test_each_entry_says_what_it_means_whether_to_retry_and_what_to_do() -> None:
    for code in known_codes():
        found = explain(code)
        assert found.means
        assert all(found.means)
        assert found.advice
        assert found.more
        assert (REPOSITORY / found.page).is_file(), found.page
        assert all(hasattr(errors, name) for name in found.classes)


def test_each_part_that_raises_is_an_area_of_its_own(sites: list[Site]) -> None:
    assert not {site.path for site in sites if error_runbook.area_of(site.path) is None}
    assert not [area.prefix for area in AREAS if not (REPOSITORY / area.prefix).exists()]


def test_what_was_written_by_hand_is_of_codes_that_exist(sites: list[Site]) -> None:
    codes = {site.code for site in sites}
    assert set(NOTES) | set(BY_CODE) <= codes
    classes = {name for code in codes for name in explain(code).classes}
    assert classes <= set(FAMILIES)


def test_the_commands_that_tell_more_exist() -> None:
    names = {each.name for each in SUBCOMMANDS}
    for area in AREAS:
        words = area.more.split()
        if words[0] == "heavylift":
            assert words[1] in names, area.more


def test_an_unsafe_retry_is_called_unsafe() -> None:
    assert not explain("8703").retry_safe
    assert explain("1002").retries_itself
    assert not explain("2001").retries_itself


@pytest.mark.parametrize("text", ["HL-8703", "8703", "[HL-8703]", "hl-8703"])
def test_explain_prints_one_code(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["explain", text]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("HL-8703: The switch")
    assert "not safe before it is mended" in shown
    assert "docs/runbooks/codes.md#hl-8703" in shown


def test_explain_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["explain", "HL-8703", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["code"] == "HL-8703"


@pytest.mark.parametrize("text", ["HL-0001", "nonsense", "HL-99999"])
def test_an_unknown_code_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, ["explain", text]) == 2
    assert "HL-8962" in capsys.readouterr().err


def test_the_check_sees_a_stale_page(
    found_once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = tmp_path / "codes.md"
    stale.write_text("old")
    monkeypatch.setattr(error_runbook, "PAGE", stale)
    assert error_runbook.main(["--check"]) == 1
    assert error_runbook.main([]) == 0
    assert error_runbook.main(["--check"]) == 0
