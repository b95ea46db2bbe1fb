"""What the supervisor noted about each server's process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sandbox import processes
from sandbox.processes import Ident
from sandbox.state import read_json

# The supervisor itself waits up to its servers' grace; this is on top of that.
_SUPERVISOR_GRACE = 45.0
_ORPHAN_GRACE = 5.0


@dataclass(frozen=True)
class Record:
    """One server's process.

    :param exit: exit status (negative: the signal that ended it), or None while it runs.
    """

    name: str
    process: Ident
    supervisor: Ident
    exit: int | None

    @property
    def alive(self) -> bool:
        """Whether the server's process still runs."""
        return self.exit is None and self.process.alive


def run_dir(state_dir: Path) -> Path:
    """Return the folder of the records."""
    return state_dir / "run"


def read(state_dir: Path, name: str) -> Record | None:
    """Return a server's record, or None where it was never started."""
    raw = read_json(run_dir(state_dir) / f"{name}.json")
    if raw is None:
        return None
    return Record(
        name,
        Ident(int(raw["pid"]), float(raw["created"])),
        Ident(int(raw["supervisor"]), float(raw["supervisor_created"])),
        raw["exit"],
    )


def read_all(state_dir: Path) -> list[Record]:
    """Return the records of every server that was started here."""
    names = sorted(path.stem for path in run_dir(state_dir).glob("*.json") if "launch-" not in path.name)
    found = (read(state_dir, name) for name in names)
    return [record for record in found if record is not None]


def supervisor_of(record: Record) -> Ident | None:
    """Return the supervisor if it runs and is one of ours by its command line too."""
    return record.supervisor if "sandbox.supervisor" in record.supervisor.command() else None


def end_server(record: Record) -> None:
    """End one server and what it started, leaving its supervisor's other servers alone."""
    if record.exit is None:
        processes.end(record.process.family(), _ORPHAN_GRACE)


def end_all(state_dir: Path, sandbox: str) -> int:
    """End every process of a sandbox; return how many servers were running.

    Supervisors are asked first, the youngest first, as later servers need earlier ones. What is
    left after that (a supervisor was killed) is found by its mark and by its record.
    """
    found = read_all(state_dir)
    count = sum(record.alive for record in found)
    supervisors = {ident for record in found if (ident := supervisor_of(record))}
    for ident in sorted(supervisors, key=lambda ident: ident.created, reverse=True):
        processes.end([ident], _SUPERVISOR_GRACE)
    for record in found:
        end_server(record)
    processes.end(processes.marked(sandbox), _ORPHAN_GRACE)
    for record in found:
        (run_dir(state_dir) / f"{record.name}.json").unlink(missing_ok=True)
    return count
