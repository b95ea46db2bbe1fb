"""What the demo shows while a run goes on: a live picture in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from heavylift_airflow.progress import human_size
from sandbox.demo_follow import Step, View

PLAIN_EVERY_SECONDS = 10.0
_BAR = 24

_MARKS = {
    "success": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "upstream_failed": ("✗", "red"),
    "skipped": ("–", "dim"),
    "running": ("▶", "cyan"),
    "queued": ("…", "cyan"),
    "scheduled": ("…", "cyan"),
    "up_for_retry": ("↻", "yellow"),
    "awaiting_input": ("?", "bold yellow"),
    "deferred": ("…", "cyan"),
}
_WORDS = {"awaiting_input": "waits for approval", "up_for_retry": "will be retried", "none": ""}


class Screen(Protocol):
    """Takes views of a run."""

    def show(self, view: View) -> None:
        """Show one view."""


@contextmanager
def screen(console: Console) -> Iterator[Screen]:
    """Return what shows a run on ``console``, for the block."""
    if not console.is_terminal:
        yield PlainScreen(console)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield _LiveScreen(live)


class _LiveScreen:
    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, view: View) -> None:
        """Replace the picture."""
        self._live.update(picture(view))


class PlainScreen:
    """Prints a line for each change of a task, and the progress now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, str] = {}
        self._due = 0.0

    def show(self, view: View) -> None:
        """Print what is new."""
        for step in view.steps:
            text = describe(step)
            if text and self._states.get(step.task_id) != text:
                self._states[step.task_id] = text
                self._line(f"{view.seconds:6.1f} s  {step.task_id:<40} {text}")
        if view.seconds >= self._due and view.objects_total:
            self._due = view.seconds + PLAIN_EVERY_SECONDS
            self._line(f"{view.seconds:6.1f} s  {amounts(view)}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def picture(view: View) -> Group:
    """Return the whole picture of a run."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=2)
    table.add_column(min_width=34)
    table.add_column()
    for step in view.steps:
        mark, style = _MARKS.get(step.state, ("·", "dim"))
        table.add_row(Text(mark, style), Text(step.task_id, style if mark != "✓" else ""), describe(step))
    head = Text.assemble((view.dag_id, "bold"), f"  {view.state}  {view.seconds:.0f} s")
    if not view.objects_total:
        return Group(head, table)
    bar = ProgressBar(total=max(view.bytes_total, 1), completed=view.bytes_done, width=_BAR)
    amount = Table.grid(padding=(0, 2))
    amount.add_row(bar, Text(amounts(view)))
    return Group(head, table, Text(), amount)


def describe(step: Step) -> str:
    """Return a step's state in words, with its mapped instances where there are several."""
    words = _WORDS.get(step.state, step.state.replace("_", " "))
    return f"{words} {step.done}/{step.total}".strip() if step.total > 1 else words


def amounts(view: View) -> str:
    """Return objects, bytes and rate of a run in one line."""
    rate = f", {human_size(view.bytes_per_second)}/s" if view.bytes_per_second else ""
    return (
        f"{view.objects_done:,} of {view.objects_total:,} objects,"
        f" {human_size(view.bytes_done)} of {human_size(view.bytes_total)}{rate}"
    )
