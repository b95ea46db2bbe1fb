"""Renders the board's pages. Everything that comes from specs and evidence is escaped, always."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import DictLoader, Environment, StrictUndefined

from heavylift import __version__
from heavylift.board.detail import Detail
from heavylift.board.index import Snapshot
from heavylift.board.lines import State
from heavylift.board.picking import PER_PAGE, SORTS, Page, Query
from heavylift.board.pictures import draw_pair, lag_data
from heavylift.evidence.wording import counted, days_in_words, duration, size
from heavylift.report.model_plots import draw_parity
from heavylift.report.optimize import saving_in_words
from heavylift.report.text import visible, when
from heavylift.spec import MigrationSpec

STATIC = {
    "board.css": "text/css; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
    "uPlot.iife.min.js": "text/javascript; charset=utf-8",
    "uPlot.min.css": "text/css; charset=utf-8",
}
"""The files that the pages load, and nothing else: name → media type."""

_TEMPLATES = ("layout.html", "list.html", "detail.html", "parts.html")
_WORDS = {
    State.NONE: "not begun",
    State.OPEN: "open",
    State.WAITING: "waits for approval",
    State.PASSED: "passed",
    State.DRY: "dry run",
    State.FAILED: "not passed",
    State.UNREADABLE: "cannot be read",
}


@dataclass(frozen=True)
class Links:
    """Addresses below the Airflow that serves the board.

    :param base: path of that Airflow, without a slash at the end; mostly empty.
    """

    base: str = ""
    prefix: str = "/heavylift"

    def static(self, name: str) -> str:
        """Return the address of a file of :data:`STATIC`; it changes with the file's content."""
        return f"{self.base}{self.prefix}/board/static/{name}?v={_version(name)}"

    def board(self, query: Query | None = None, **changes: Any) -> str:
        """Return the address of the list, with changes to a query."""
        asked = {"q": "", "state": "", "sort": "urgency", "page": 1}
        if query is not None:
            asked |= {"q": query.text, "state": query.state, "sort": query.sort, "page": query.page}
        asked |= changes
        said = {name: value for name, value in asked.items() if value not in ("", 1, "urgency")}
        return f"{self.base}{self.prefix}/board" + (f"?{urlencode(said)}" if said else "")

    def migration(self, name: str) -> str:
        """Return the address of one migration's page."""
        return f"{self.base}{self.prefix}/board/m/{quote(name, safe='')}"

    def evidence(self, dag_id: str, path: str) -> str:
        """Return the address of a piece of evidence, shown to those who may read the DAG's runs."""
        return f"{self.base}{self.prefix}/evidence/{quote(dag_id, safe='')}/{quote(path)}"

    def run(self, dag_id: str, run_id: str = "") -> str:
        """Return the address of a run in Airflow; of its DAG where the run's id is not known."""
        address = f"{self.base}/dags/{quote(dag_id, safe='')}"
        return f"{address}/runs/{quote(run_id, safe='')}" if run_id else address

    def task(self, dag_id: str, run_id: str, task_id: str, page: str = "") -> str:
        """Return the address of a task in Airflow."""
        return f"{self.run(dag_id, run_id)}/tasks/{quote(task_id, safe='')}" + (f"/{page}" if page else "")


@dataclass(frozen=True)
class Reader:
    """Who looks at a page.

    :param readable: the DAGs whose runs this person may read; ``startable`` those that they may start.
    """

    readable: Collection[str]
    startable: Collection[str] = ()


def render_list(snapshot: Snapshot, page: Page, query: Query, links: Links) -> str:
    """Return the list of migrations as a page."""
    template = environment().get_template("list.html")
    return template.render(
        snapshot=snapshot,
        page=page,
        query=query,
        links=links,
        sorts=tuple(SORTS),
        states=(
            State.UNREADABLE,
            State.FAILED,
            State.WAITING,
            State.OPEN,
            State.PASSED,
            State.DRY,
            State.NONE,
        ),
        per_page=PER_PAGE,
        version=__version__,
    )


def render_detail(detail: Detail, spec: MigrationSpec, reader: Reader, links: Links) -> str:
    """Return one migration as a page."""
    template = environment().get_template("detail.html")
    dags = [phase.dag_id for phase in detail.line.phases if phase.dag_id in reader.readable]

    def evidence(path: str) -> str:
        """Return the address of evidence, through a DAG that the reader may read."""
        own = f"{spec.migration}.{path.split('/')[1] if path.count('/') > 1 else ''}"
        return links.evidence(own if own in dags else next(iter(dags), own), path)

    return template.render(
        detail=detail, line=detail.line, spec=spec, reader=reader, dags=dags, links=links,
        evidence=evidence, task_of=_task_of, lag_data=lag_data, draw_pair=draw_pair,
        draw_parity=draw_parity, saving_in_words=saving_in_words, version=__version__,
    )  # fmt: skip


def render_told(title: str, words: str, links: Links) -> str:
    """Return a page that tells why there is nothing else to show."""
    template = environment().get_template("layout.html")
    return template.render(title=title, words=words, links=links, version=__version__)


def static_file(name: str) -> bytes:
    """Return a file of :data:`STATIC`."""
    return files("heavylift.board").joinpath("static", name).read_bytes()


@cache
def environment() -> Environment:
    """Return the templates; everything that is put into them is escaped."""
    environment = Environment(
        loader=DictLoader({name: _resource(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        counted=counted, size=size, days=days_in_words, when=when, duration=duration, iso=_iso,
        state_words=lambda state: _WORDS[state], milliseconds=_milliseconds,
    )  # fmt: skip
    return environment


def _task_of(actor: str) -> tuple[str, str] | None:
    """Return DAG and task of an actor ``airflow:<migration>.<phase>.<task>``; None of any other."""
    kind, _, rest = actor.partition(":")
    parts = rest.split(".", 2)
    return (f"{parts[0]}.{parts[1]}", parts[2]) if kind == "airflow" and len(parts) == 3 else None


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f} ms"


def _resource(name: str) -> str:
    return files("heavylift.board").joinpath("templates", name).read_text("utf-8")


@cache
def _version(name: str) -> str:
    return hashlib.sha256(static_file(name)).hexdigest()[:12]
