"""``./dev screenshots``: the pictures of the documentation, taken from a demo that is run for them."""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from heavylift.errors import IncompleteError
from sandbox import first_steps
from sandbox.browser import open_browser
from sandbox.paths import REPO
from sandbox.stack import Stack, stop_all

# Shown in the pictures, so nobody's own folder.
STATE_DIR = Path("/tmp/heavylift-demo")
_MIGRATION = "fraud-scoring"
_SERVERS = ("aws_source", "gcp_target", "features_source", "features_target")
_WIDTH, _HEIGHT = 1440, 900
_COLUMNS = 110
_FIRST, _LAST = 44, 44
_UP, _ERASE = "\x1b[1A", "\x1b[2K"
# Whatever else moves the cursor (carriage return, showing and hiding it) changes nothing here.
_MOVES = re.compile(r"(\n|\x1b\[1A|\x1b\[2K)|\r|\x1b\[\?25[lh]")


@dataclass(frozen=True)
class Shot:
    """One picture of Airflow's UI.

    :param wait_for: a text that the page shows once it is complete.
    :param frame: whether the text is inside the page's frame, as a plugin's page is.
    """

    name: str
    path: str
    wait_for: str
    frame: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and take the pictures.

    :raises IncompleteError: the demo failed, so there is nothing to show.
    :raises ServerUnavailableError: there is no browser, and none could be installed.
    """
    parser = argparse.ArgumentParser(prog="./dev screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPO / "docs" / "images", help="folder of the pictures")
    parser.add_argument(
        "--first-steps", action="store_true", help="only those of the guide of a new user's first steps"
    )
    parser.add_argument("--state-dir", type=Path, help="show a sandbox in which the demo was run, unchanged")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.first_steps:
        _first_steps(options.out)
        return 0
    if options.state_dir:
        _pictures(options.state_dir.resolve(), options.out, None)
        return 0
    stop_all(STATE_DIR, clean=True)
    try:
        STATE_DIR.mkdir(exist_ok=True)
        _pictures(STATE_DIR, options.out, _run_demo())
    finally:
        stop_all(STATE_DIR, clean=True)
        shutil.rmtree(STATE_DIR, ignore_errors=True)
    return 0


def _run_demo() -> str:
    """Run the demo and return its output with colours."""
    argv = [sys.executable, "-m", "sandbox.dev", "demo", "--exit", "--state-dir", str(STATE_DIR)]
    env = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS)}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise IncompleteError(
            "taking pictures of the demo",
            got=f"exit status {done.returncode} of the demo",
            expected="0",
            state="no picture was changed",
            remedy="run ./dev demo --exit and mend what it tells",
            code="9040",
        )
    # Not as text: that would take each carriage return for an end of line.
    return done.stdout.decode(errors="replace")


def _pictures(state_dir: Path, out: Path, output: str | None) -> None:
    stack = Stack.start(state_dir, _SERVERS, airflow=True)
    try:
        if stack.airflow_url is None or stack.airflow_login is None:
            return
        with _page() as page:
            if output is not None:
                page.set_content(terminal_page(_hide(output, stack)))
                _save(page.locator("pre"), out / "demo.png")
            report = max(state_dir.glob(f"evidence/{_MIGRATION}/transfer/*/report-*.html"))
            page.goto(report.as_uri())
            _save(page, out / "report.png")
            first_steps.log_in(page, stack.airflow_url, *stack.airflow_login)
            for shot in _shots(page, stack.airflow_url):
                _take(page, stack.airflow_url, shot, out)
    finally:
        stack.stop()


def _first_steps(out: Path) -> None:
    """Take the steps in an Airflow of their own, and a picture of each."""
    stop_all(STATE_DIR, clean=True)
    specs = STATE_DIR / "migrations"
    settings = {"HEAVYLIFT_MIGRATIONS": str(specs)}
    try:
        specs.mkdir(parents=True, exist_ok=True)
        stack = Stack.start(
            STATE_DIR / "state", first_steps.SERVERS, airflow=True, airflow_settings=settings, detached=True
        )
        if stack.airflow_url is None or stack.airflow_login is None:
            return
        first_steps.seed(stack.env)
        with _page() as page:
            first_steps.log_in(page, stack.airflow_url, *stack.airflow_login)
            first_steps.walk(page, stack.airflow_url, specs, lambda name: _save(page, out / f"{name}.png"))
    finally:
        stop_all(STATE_DIR / "state", clean=True)
        shutil.rmtree(STATE_DIR, ignore_errors=True)


def _hide(output: str, stack: Stack) -> str:
    password = stack.airflow_login[1] if stack.airflow_login else ""
    return output.replace(password, "*" * len(password)) if password else output


def settled(output: str) -> list[str]:
    """Return the lines that stay on a terminal once everything drawn over is gone."""
    lines, row = [""], 0
    for part in filter(None, _MOVES.split(output)):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == _UP:
            row = max(0, row - 1)
        elif part == _ERASE:
            lines[row] = ""
        else:
            lines[row] += part
    return "\n".join(lines).rstrip().split("\n")


def terminal_page(output: str) -> str:
    """Return a page that shows the beginning and the end of a terminal's output."""
    lines = settled(output)
    if len(lines) > _FIRST + _LAST:
        lines = [*lines[:_FIRST], "", "…", "", *lines[-_LAST:]]
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    for line in lines:
        console.print(Text.from_ansi(line))
    body = console.export_html(theme=MONOKAI, inline_styles=True, code_format="{code}")
    style = (
        "display:inline-block;margin:0;padding:24px;background:#12151c;color:#d8dee9;border-radius:8px;"
        "font:14px/1.35 'DejaVu Sans Mono',Menlo,Consolas,monospace"
    )
    prompt = '<span style="color:#8fbcbb">$</span> ./dev demo --exit\n'
    return f'<body style="margin:0"><pre style="{style}">{prompt}{body}</pre></body>'


def _shots(page: Any, url: str) -> list[Shot]:
    transfer = f"{_MIGRATION}.transfer"
    latest = page.request.get(f"{url}/api/v2/dags/{transfer}/dagRuns?order_by=-run_after&limit=1")
    run = quote(latest.json()["dag_runs"][0]["dag_run_id"], safe="")
    where = f"/dags/{transfer}/runs/{run}"
    return [
        Shot("airflow-dags", "/dags", transfer),
        Shot("airflow-run", where, "summarise_run"),
        Shot("airflow-report", f"{where}/plugin/heavylift-report", _MIGRATION, frame=True),
        Shot("airflow-assets", "/assets", _MIGRATION),
        Shot("airflow-board", "/plugin/heavylift-board", "ago", frame=True),
    ]


def _take(page: Any, url: str, shot: Shot, out: Path) -> None:
    page.goto(f"{url}{shot.path}")
    within = page.frame_locator("iframe") if shot.frame else page
    within.get_by_text(shot.wait_for).first.wait_for(timeout=60_000)
    _save(page, out / f"{shot.name}.png")


def _save(what: Any, path: Path) -> None:
    what.screenshot(path=path, animations="disabled")
    print(f"  {path}", flush=True)


@contextmanager
def _page() -> Iterator[Any]:
    with open_browser() as window:
        yield window.new_page(
            viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light", locale="en-US"
        )
