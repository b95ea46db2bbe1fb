"""Finds terraform at work below a worker, and tells what has become of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Working:
    """An application at work: the worker's process, the launcher's, and terraform's own."""

    worker: int
    launcher: int
    terraform: int

    @property
    def interrupted(self) -> bool:
        """Whether the launcher has told terraform to stop: its thread that watches the worker is gone."""
        found = [line for line in _read(self.launcher, "status").splitlines() if line.startswith("Threads:")]
        return not found or found[0].split()[1] == "1"

    @property
    def ended(self) -> bool:
        """Whether neither is at work any more."""
        return all(
            _read(pid, "stat").rpartition(") ")[2][:1] in {"", "Z"} for pid in (self.launcher, self.terraform)
        )


def at_work(worker: int | None = None) -> Working | None:
    """Return the application that is at work.

    :param worker: of this process alone; of any where None.
    """
    for path in Path("/proc").glob("[0-9]*"):
        words = _read(int(path.name), "cmdline").split("\0")
        at = next((n for n, word in enumerate(words) if word.endswith("/infra/launcher.py")), None)
        if at is None or words[at + 3 : at + 4] != ["apply"]:
            continue
        found = _children(int(path.name))
        if found and worker in {None, int(words[at + 1])}:
            return Working(int(words[at + 1]), int(path.name), found[0])
    return None


def _children(pid: int) -> list[int]:
    told = [_read(pid, f"task/{each.name}/children") for each in Path(f"/proc/{pid}/task").glob("*")]
    return [int(child) for text in told for child in text.split()]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
