"""The documentation points to things that exist and has the shape that readers expect."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import pytest

import heavylift
from heavylift.facts.services import PLATFORMS
from sandbox import platform_pairs
from tests.unit.house.modules import REPOSITORY

PAGES = sorted(
    path
    for path in [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "include").rglob("*.md"),
    ]
    if "node_modules" not in path.parts
)
ADRS = sorted((REPOSITORY / "docs" / "adr").glob("*.md"))
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    # A comment in a block of code is no heading.
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).strip().replace(" ", "-")
        number = next(n for n in count() if (f"{anchor}-{n}" if n else anchor) not in found)
        found.add(f"{anchor}-{number}" if number else anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), target


def test_anchors_are_those_that_viewers_give(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b`: c\n## Same\n## Same\n## [Link](x.md), too\n```\n# no heading\n```\n")
    assert anchors(page) == {"a-b-c", "same", "same-1", "link-too"}


@pytest.mark.parametrize("page", sorted((REPOSITORY / "docs" / "contributing").glob("*.md")), ids=name)
def test_the_files_to_touch_exist(page: Path) -> None:
    roots = "dags|docs|include|plugins|sandbox|tests"
    named = re.findall(rf"`((?:{roots})/[\w./-]+|\.importlinter)`", page.read_text(encoding="utf-8"))
    assert named
    assert not [each for each in named if not (REPOSITORY / each).exists()]


def test_the_tables_of_platform_pairs_are_those_of_the_facts() -> None:
    page = platform_pairs.PAGE.read_text(encoding="utf-8")
    assert platform_pairs.render(page) == page, "run: python -m sandbox.platform_pairs"
    pairs = {f"{a} {b}" for a in PLATFORMS for b in PLATFORMS if a != b}
    assert sorted(platform_pairs.marks(page)) == sorted({"whatever the pair", *pairs})


def test_a_table_that_was_changed_by_hand_is_seen() -> None:
    page = platform_pairs.PAGE.read_text(encoding="utf-8")
    changed = page.replace("| data labelling |", "| data labels |")
    assert changed != page
    assert platform_pairs.render(changed) == page


@pytest.mark.parametrize("page", ADRS, ids=name)
def test_a_decision_has_its_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    number = int(page.name.split("-")[0])
    assert re.match(rf"# {number}\. ", text)
    assert re.search(r"^Date: \d{4}-\d\d-\d\d\. Status: (proposed|accepted|superseded by \d+)\.$", text, re.M)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[:3] == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name.split("-")[0]) for page in ADRS] == list(range(1, len(ADRS) + 1))


def test_the_changelog_tells_of_this_version_and_of_what_comes() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == heavylift.__version__


def test_the_settings_that_the_production_page_names_are_settings() -> None:
    page = (REPOSITORY / "docs" / "reference" / "production.md").read_text(encoding="utf-8")
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    compose = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]*)(?:=[^`]*)?`", page))
    # Airflow's own, and uvicorn's, which an override file sets.
    named = {it for it in named if not it.startswith("AIRFLOW__") and it != "FORWARDED_ALLOW_IPS"}
    assert named
    assert not {it for it in named if f"{it}=" not in example and it not in compose}
