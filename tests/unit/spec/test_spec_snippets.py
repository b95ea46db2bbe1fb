"""Every spec that the documentation shows can be loaded; what shows only sections fits into one that can."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from heavylift.spec import MigrationSpec
from heavylift.spec.fields import key_names
from tests.unit.spec.samples import HEAD, MINIMAL, problems_of

REPOSITORY = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^( *)```ya?ml\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
SECTIONS = frozenset(key_names(MigrationSpec))
DATASETS = MINIMAL.removeprefix(HEAD)
DATABASES = """\
databases:
  - {name: features, source: {connection: features_source}, target: {connection: features_target}}
"""

# Pages whose blocks are other files: which, by the first line of each.
NOT_SPECS = {
    "docs/reference/inventory.md": {"- target:"},
    "docs/reference/manifests.md": {"registries:"},
    "docs/reference/production.md": {"services:"},
    "docs/reference/spec.md": {"#"},
    "docs/reference/training.md": {"uris:"},
}

CUTOVER = "cutover: {runbook_owner: me}\n"
# What a page's blocks speak of by name.
NAMED = {
    "docs/reference/compliance.md": {
        "datasets": "datasets:\n"
        + "".join(
            f"  - {{name: {name}, source: s3://old/{name}/, target: gs://new/{name}/}}\n"
            for name in ("people", "clicks", "fraud-model")
        )
    },
    "docs/reference/cutover-streams-schedules.md": {
        "streams": "streams:\n  - {name: events, source: {engine: kafka, connection: old},"
        " target: {engine: kafka, connection: new}}\n"
    },
    "docs/reference/decommission.md": {
        "datasets": DATASETS.replace("training-data", "images"),
        "databases": DATABASES.replace("features", "orders", 1),
    },
    "docs/reference/registry.md": {
        "registries": "registries:\n  - {name: history, source: {connection: old}, target: {connection: new},"
        " deletes: propagate}\n"
    },
}


class Snippet(NamedTuple):
    """A block of YAML in a page; ``line`` is where it begins."""

    page: str
    line: int
    text: str

    @property
    def first(self) -> str:
        """Return what the block begins with: a key, or a comment's sign."""
        found = re.match(r"#|(?:- )?[\w-]+:", self.text)
        assert found, f"{self.page}:{self.line}: not a block of YAML"
        return found[0]


def snippets() -> list[Snippet]:
    found = []
    for path in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]:
        text, page = path.read_text(encoding="utf-8"), path.relative_to(REPOSITORY).as_posix()
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Snippet(page, line, textwrap.dedent(match[2])))
    return found


SNIPPETS = snippets()
SPECS = [each for each in SNIPPETS if each.first not in NOT_SPECS.get(each.page, ())]


def completed(snippet: Snippet) -> str:
    """Return a whole spec that holds the snippet."""
    if "apiVersion:" in snippet.text:
        return snippet.text
    shown = set(re.findall(r"^([\w-]+):", snippet.text, re.MULTILINE))
    assert shown <= SECTIONS, f"{snippet.page}:{snippet.line}: no such section; of another file: NOT_SPECS"
    # What a section needs of the others; one that is shown is shown whole.
    needed = {"datasets": DATASETS}
    if "decommission" in shown or "cutover_ready" in snippet.text:
        needed["cutover"] = CUTOVER
    if "cutover" in shown | needed.keys():
        needed["databases"] = DATABASES
    needed |= NAMED.get(snippet.page, {})
    return HEAD + "".join(text for name, text in needed.items() if name not in shown) + snippet.text


@pytest.mark.parametrize("snippet", SPECS, ids=lambda each: f"{each.page}:{each.line}")
def test_a_spec_in_a_page_can_be_loaded(snippet: Snippet, tmp_path: Path) -> None:
    problems = problems_of(tmp_path, completed(snippet))
    assert not problems, "\n".join(str(each) for each in problems)


def test_pages_have_specs_and_what_is_excused_is_there() -> None:
    assert sum(each.page.startswith("docs/guides/") for each in SPECS) >= 7
    firsts = {(each.page, each.first) for each in SNIPPETS}
    excused = {(page, first) for page, lines in NOT_SPECS.items() for first in lines}
    assert {each for each in excused if (REPOSITORY / each[0]).exists()} <= firsts


@pytest.mark.parametrize(
    "text",
    [
        "datasets:\n  - {name: a, source: s3://a/, into: gs://a/}\n",
        "cutover: {runbook_owner: me, soak: often}\n",
    ],
)
def test_a_wrong_snippet_is_seen(text: str, tmp_path: Path) -> None:
    assert problems_of(tmp_path, completed(Snippet("docs/x.md", 1, text)))
