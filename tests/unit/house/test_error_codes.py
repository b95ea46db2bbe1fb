"""Each error code means one situation, and the reference lists them all."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from sandbox.error_catalogue import PAGE, ROOTS, Site, find_sites, main, render
from tests.unit.house.modules import REPOSITORY, code_sites, source_files


@pytest.fixture(scope="module")
def sites() -> list[Site]:
    return list(code_sites())


def package_of(path: str) -> str:
    """Return the capability or folder that owns a file, for ranges of codes belong to those."""
    parts = Path(path).parts
    return "/".join(parts[:3]) if path.startswith("include/") else "/".join(parts[:2])


def test_a_code_given_to_an_error_belongs_to_one_raise_site(sites: list[Site]) -> None:
    places = defaultdict(set)
    for site in sites:
        if site.keyword and site.kind.endswith("Error"):
            places[site.code].add(f"{site.path}:{site.line}")
    shared = {code: sorted(where) for code, where in places.items() if len(where) > 1}
    assert not shared


def test_no_code_is_used_by_two_packages(sites: list[Site]) -> None:
    owners = defaultdict(set)
    for site in sites:
        owners[site.code].add(package_of(site.path))
    assert not {code: sorted(names) for code, names in owners.items() if len(names) > 1}


def test_the_reference_is_what_the_source_gives(sites: list[Site]) -> None:
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    assert written == render(sites), "run: python -m sandbox.error_catalogue"


def test_no_code_in_the_source_escapes_the_reference(sites: list[Site]) -> None:
    listed = {site.code for site in sites}
    for path in source_files(*(REPOSITORY / root for root in ROOTS)):
        text = path.read_text(encoding="utf-8")
        if "code" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.keyword) and node.arg in {"code", "default_code"}:
                codes = {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
                found = {code for code in codes if isinstance(code, str) and code.isdigit()}
                assert found <= listed, f"{path}:{node.lineno}"


def test_every_row_names_a_file_that_exists() -> None:
    paths = re.findall(r"`((?:include|plugins|sandbox)/[^`]+)`", PAGE.read_text(encoding="utf-8"))
    assert paths
    assert not [path for path in paths if not (REPOSITORY / path).is_file()]


def test_the_finder_reads_every_way_of_giving_a_code(tmp_path: Path) -> None:
    module = tmp_path / "include" / "heavylift" / "thing" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        """
class ThingError(PermanentError):
    '''A thing is broken.'''
    default_code = "6001"

TABLE = {"odd_thing": "6002"}

def act(key, late):
    problem("6003", key, f"the key {key!r}")
    if late == "6999":
        raise ThingError(f"moving {key}", got=f"{key} | late", remedy="wait", code="6004")
    raise Other("x", code="6005" if late else "6006")

def host(key):
    raise _wrong(key, "no host", "6007")
"""
    )
    found = {site.code: site for site in find_sites(tmp_path)}
    assert sorted(found) == ["6001", "6002", "6003", "6004", "6005", "6006", "6007"]
    assert (found["6007"].kind, found["6007"].situation) == ("_wrong", "no host")
    assert found["6001"].situation == "A thing is broken."
    assert found["6004"] == Site(
        "6004", "include/heavylift/thing/module.py", 11, "ThingError",
        "moving {…}: got {…} | late", "wait", keyword=True,
    )  # fmt: skip
    row = next(line for line in render([found["6004"]]).splitlines() if line.startswith("| HL-6004"))
    assert row.count(" | ") == 4, "a | in a message must not split the row"


def test_check_tells_that_the_page_is_out_of_date(
    tmp_path: Path, sites: list[Site], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "errors.md"
    monkeypatch.setattr("sandbox.error_catalogue.find_sites", lambda: sites)
    monkeypatch.setattr("sandbox.error_catalogue.PAGE", page)
    assert main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert not page.exists()
    assert main([]) == 0
    assert main(["--check"]) == 0
