"""The documentation builds without a warning, and what is wrong in it would be one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sandbox import documentation

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("docs")
    done = documentation.build(documentation.DOCS, output)
    assert done.returncode == 0, done.stdout
    return output


def test_every_page_is_built_and_led_to_from_another(built: Path) -> None:
    def names(folder: Path, ending: str) -> set[Path]:
        return {path.relative_to(folder).with_suffix("") for path in folder.rglob(f"*.{ending}")}

    assert names(built, "html") >= names(documentation.DOCS, "md")


def test_pages_ask_no_network(built: Path) -> None:
    """A reader without one sees all of it: no script, style, font or picture of others."""
    asked = re.compile(
        r"""<(?:script|img|iframe)\b[^>]*\bsrc="https?:"""
        r"""|<link\b[^>]*rel="stylesheet"[^>]*href="https?:"""
    )
    pages = list(built.rglob("*.html"))
    assert pages
    assert not [path for path in pages if asked.search(path.read_text(encoding="utf-8"))]
    styles = "".join(path.read_text(encoding="utf-8") for path in built.rglob("*.css"))
    assert not re.search(r"@import\s+url\(|url\(['\"]?https?:", styles)


def test_a_runbook_has_a_heading_of_its_own(built: Path) -> None:
    assert "<h1>Runbook: transfer" in (built / "runbooks" / "transfer.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("[gone](gone.md)", "gone.md"),
        ("[gone](concepts.md#no-such-heading)", "no-such-heading"),
        ("[gone](#no-such-heading)", "no-such-heading"),
        ("[gone](../no-such-file.txt)", "no-such-file.txt"),
        ("![gone](images/gone.png)", "gone.png"),
    ],
)
def test_what_leads_nowhere_fails_the_build(wrong: str, told: str, tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(documentation.DOCS / "concepts.md", source / "concepts.md")
    for name in ("quick-start", "index"):
        (source / f"{name}.md").write_text(f"# Page\n\n{wrong if name == 'quick-start' else ''}\n")
    done = documentation.build(source, tmp_path / "out")
    assert done.returncode != 0
    [line] = [each for each in done.stdout.splitlines() if "quick-start.md" in each]
    assert told in line
