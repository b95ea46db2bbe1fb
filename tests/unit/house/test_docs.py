"""The documentation points to things that exist and has the shape that readers expect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import heavylift
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
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


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
