"""How Sphinx builds the documentation; ``./dev docs`` runs it (docs/adr/0048-documentation.md)."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

_DOCS = Path(__file__).resolve().parent
_REPOSITORY = _DOCS.parent
_MOST_HEADINGS = 200
_PACKAGE = (_REPOSITORY / "include" / "heavylift" / "__init__.py").read_text(encoding="utf-8")
_VERSION = re.search(r'^__version__ = "([^"]+)"', _PACKAGE, re.MULTILINE)

project = "Heavylift"
author = "the authors of Heavylift"
release = version = _VERSION[1] if _VERSION else ""
html_title = f"Heavylift {release}"
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images/**"]
# Headings get the anchors that GitHub gives them, so that one link serves both.
myst_heading_anchors = 6
suppress_warnings = ["myst.header"]  # runbooks begin below a heading that their DAG's page brings
nitpicky = True
keep_warnings = False

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False
# What stands for a server of the reader's own.
linkcheck_ignore = [r"https?://(localhost|127\.0\.0\.1)", r"https?://[^/]*example\.(com|org)"]

NAVIGATION = {
    "index": (
        ("First steps", ("quick-start", "concepts", "architecture", "examples")),
        ("Use it", ("guides/index", "runbooks/index", "limitations")),
        ("Look it up", ("reference/index",)),
        ("Change it", ("contributing/index", "decisions")),
    ),
    "guides/index": (("", ("*",)),),
    "reference/index": (("", ("*",)),),
    "runbooks/index": (("", ("*",)),),
    "contributing/index": (("", ("*",)),),
    "decisions": (("", ("adr/*",)),),
}
"""Which pages lead to which others; ``*`` stands for all pages of a folder that there are."""


def setup(app: Sphinx) -> None:
    """Connect what is done to each page while it is read, and to links that lead out of the folder."""
    app.connect("source-read", _complete)
    app.connect("doctree-read", _lead_outside)
    app.connect("doctree-read", _shorten, priority=900)


def _complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Give a runbook the heading that Airflow puts above it, and a page with parts its table of contents."""
    folder, _, name = page.rpartition("/")
    if folder == "runbooks" and not source[0].startswith("# "):
        source[0] = f"# Runbook: {name}\n\n{source[0]}"
    for caption, entries in NAVIGATION.get(page, ()):
        options = [":maxdepth: 1", ":glob:"]
        # The front page tells where to go in its own words.
        options += [":hidden:", f":caption: {caption}"] if caption else []
        lines = "\n".join([*options, "", *entries])
        source[0] += f"\n\n```{{toctree}}\n{lines}\n```\n"


def _lead_outside(app: Sphinx, doctree: nodes.document) -> None:
    """Leave the text alone of a link to a page of the repository that is none here, such as README.

    Whoever reads the pages in the repository can follow it; these may lie where the repository is not.
    A link that leads nowhere stays, and is a warning.
    """
    for link in list(doctree.findall(pending_xref)):
        if link.get("refdomain") != "doc":
            continue
        # MyST tells the page beside the root, without its ending.
        path = (_DOCS / f"{link['reftarget']}.md").resolve()
        if path.is_relative_to(_REPOSITORY) and not path.is_relative_to(_DOCS) and path.is_file():
            link.replace_self(link.children)


def _shorten(app: Sphinx, doctree: nodes.document) -> None:
    """Leave the headings of a page that has hundreds out of the navigation, which every page carries."""
    contents = app.env.tocs[app.env.current_document.docname]
    entries = list(contents.findall(nodes.list_item))
    if len(entries) > _MOST_HEADINGS:
        for each in list(entries[0].findall(nodes.bullet_list)):
            if each.parent is not None:
                each.parent.remove(each)
