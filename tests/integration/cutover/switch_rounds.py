"""Rounds of switches that are struck at a random moment: by kill -9, a stop, or a server's death."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from heavylift.fencing import Side
from sandbox import ports, processes, records, state
from sandbox.stack import Stack
from tests.support import switch_worker
from tests.support.frozen import freeze
from tests.support.switched import Applications, Switched, environment
from tests.support.switched_beside import Beside

KILL, STOP = "kill worker", "stop worker"
SERVERS = {
    "kill Envoy": "traffic",
    "kill source database": "features_source",
    "kill target database": "features_target",
    "kill source endpoint": "scoring_source",
    "kill target endpoint": "scoring_target",
}
FAULTS = (KILL, STOP, *SERVERS)
STEPS = 12
"""More lines than a switch tells: the last strike after its end."""
WAIT = 120.0


@dataclass(frozen=True)
class Round:
    """What happens in one round, all of it drawn from its seed.

    :param fault: what is struck.
    :param after_lines: how many steps of the switch have ended by then.
    :param delay: how many seconds later it is struck.
    :param long: the server is started again only when the switch has ended.
    :param back: the first switch is a rollback, after a cutover that nobody disturbs.
    :param click: where the next click leads; the same run again where it is the first one's goal.
    """

    seed: int
    fault: str
    after_lines: int
    delay: float
    long: bool
    back: bool
    click: Side

    @classmethod
    def draw(cls, seed: int, faults: tuple[str, ...] = FAULTS) -> Round:
        """Draw a round. Seeds that follow each other strike one thing after the other."""
        rng = random.Random(seed)
        return cls(
            seed,
            faults[seed % len(faults)],
            rng.randrange(STEPS),
            rng.uniform(0.0, 0.4),
            rng.random() < 0.5,
            rng.random() < 0.4,
            rng.choice(list(Side)),
        )

    @property
    def goal(self) -> Side:
        """Where the switch that is struck leads."""
        return Side.SOURCE if self.back else Side.TARGET

    def __str__(self) -> str:
        where = "rollback" if self.back else "cutover"
        again = ", for long" if self.long and self.fault in SERVERS else ""
        return (
            f"seed {self.seed}: {self.fault}{again}, {self.delay:.2f} s after {self.after_lines} steps of a"
            f" {where}; then to the {self.click}"
        )


class Worker:
    """A process that switches; its lines are read while it runs."""

    def __init__(self, workload: Switched, side: Side, run: str) -> None:
        self.process = switch_worker.start(workload.spec_file, side.value, run, environment(workload))
        self.lines: list[str] = []
        self._record: dict[str, Any] | None = None
        self._says_no_more = False
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._told:
                self.lines.append(line.rstrip())
                self._told.notify_all()
        # It has ended, and may have done fewer steps than somebody waits for.
        with self._told:
            self._says_no_more = True
            self._told.notify_all()

    def wait_for(self, lines: int, delay: float) -> None:
        """Wait until so many steps have ended, and a little longer, or until the process ends."""
        with self._told:
            self._told.wait_for(lambda: len(self.lines) > lines or self._says_no_more, WAIT)
        try:
            self.process.wait(delay)
        except subprocess.TimeoutExpired:
            return

    def end(self) -> dict[str, Any]:
        """Wait for its end; return its record, empty where it left none."""
        if self._record is None:
            told = self._rest()
            self._record = dict(json.loads(told)) if told.strip() else {}
        return self._record

    def _rest(self) -> str:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout, self.process.stderr:
            told = self.process.stdout.read()
            self.process.wait(WAIT)
            self._reader.join(WAIT)
        return told


@dataclass
class Running:
    """A round that runs.

    :param beside: a stream and a schedule that are switched with it.
    """

    workload: Switched
    drawn: Round
    beside: Beside | None = None
    history: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Run it, and look that everything is as it has to be; return its figures.

        :raises AssertionError: something is not.
        """
        directly = [Side.SOURCE]
        if self.drawn.back:
            self._click(Side.TARGET, "first")
            directly.append(Side.TARGET)
        with Applications(self.workload, *directly) as applications:
            self._until(lambda: len(applications.through.acknowledged) > 20, "no row was written")
            self._struck(applications)
            self._click(self.drawn.click, self._run_of(self.drawn.click))
            self._goes_on(applications)
        self._look(applications)
        return self.figures

    def _run_of(self, side: Side) -> str:
        # After a stop somebody else's turn has followed: the run's own is over.
        return "struck" if side is self.drawn.goal and self.drawn.fault != STOP else "next"

    def _struck(self, applications: Applications) -> None:
        worker = Worker(self.workload, self.drawn.goal, "struck")
        worker.wait_for(self.drawn.after_lines, self.drawn.delay)
        self.history.append(f"{self.drawn.fault} after: {worker.lines[-1] if worker.lines else 'nothing'}")
        if self.drawn.fault == KILL:
            worker.process.send_signal(signal.SIGKILL)
        elif self.drawn.fault == STOP:
            self._overtake(worker)
        else:
            self._strike_server(worker, applications)
        record = worker.end()
        outcome = record.get("outcome", "")
        self.history += [f"  {line}" for line in worker.lines]
        self.history.append(f"exit {worker.process.returncode} {outcome}")
        self.figures |= {"exit": worker.process.returncode, "outcome": outcome, "steps": len(worker.lines)}

    def _overtake(self, worker: Worker) -> None:
        """Stop it, let another run take the turn, and let it go on."""
        if worker.process.poll() is None:
            freeze(worker.process.pid)
        try:
            self._click(self.drawn.click, "overtaking", attempts=3)
        finally:
            worker.process.send_signal(signal.SIGCONT)

    def _strike_server(self, worker: Worker, applications: Applications) -> None:
        name = SERVERS[self.drawn.fault]
        self._kill(name)
        try:
            if self.drawn.long:
                record = worker.end()
                # One that was opened at the goal already has to wait for it: it may have taken a write.
                opened = any(line.startswith(f"open the {self.drawn.goal}:") for line in worker.lines)
                back = record.get("outcome") in {"returned", "error"} and not opened
                if name == f"features_{self.drawn.goal}" and back:
                    self._goes_on(applications)
        finally:
            # A round that fails must not take those after it down.
            self.workload.stack.ensure(name)

    def _kill(self, name: str) -> None:
        record = records.read(self.workload.stack.state_dir, name)
        assert record is not None
        # Of a database all processes at once, as when its machine dies.
        family = record.process.family()
        for each in family:
            each.send(signal.SIGKILL)
        assert not processes.wait_gone(family, WAIT)
        # Its supervisor must have seen it: what it notes later would be taken for the end of the next one.
        self._until(lambda: _has_ended(self.workload.stack, name), f"nobody notes that {name} has ended")
        # It shall start again at its own address, which its last thread gives back.
        places = state.load(self.workload.stack.state_dir).ports[name].values()
        self._until(lambda: all(ports.is_free(port) for port in places), f"{name} keeps its port")

    def _click(self, side: Side, run: str, attempts: int = 1) -> None:
        """Bring everything to a side, as one does who has seen an error."""
        for _ in range(attempts):
            began = time.monotonic()
            worker = Worker(self.workload, side, run)
            record = worker.end()
            seconds = time.monotonic() - began
            self.history.append(f"{run} to the {side}: exit {worker.process.returncode} in {seconds:.1f} s")
            if worker.process.returncode == 0:
                pause = record["write_pause_seconds"]
                self.figures |= {"click_seconds": round(seconds, 2), "click_pause": pause}
                return
            self.history += [f"  {line}" for line in worker.lines]
        raise AssertionError(f"the next click does not work:\n{self.told()}")

    def _goes_on(self, applications: Applications) -> None:
        wanted = len(applications.through.acknowledged) + 10
        self._until(lambda: len(applications.through.acknowledged) >= wanted, "writes do not go on")
        if self.beside is not None:
            ledger = self.beside.producer.acknowledged
            more = len(ledger) + 5
            self._until(lambda: len(ledger) >= more, "records do not go on")

    def _until(self, met: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + 60
        while not met():
            assert time.monotonic() < end, f"{otherwise}:\n{self.told()}"
            time.sleep(0.02)

    def _look(self, applications: Applications) -> None:
        goal = self.drawn.click
        assert not applications.broken, f"{applications.broken}\n{self.told()}"
        world = self.workload.world()
        assert world.settled_at(goal), f"not all on the {goal}: {world}\n{self.told()}"
        there, acknowledged = set(self.workload.ids(goal)), set(applications.acknowledged)
        lost, unknown = sorted(acknowledged - there), sorted(there - acknowledged)
        assert not lost, f"{len(lost)} acknowledged rows are lost, such as {lost[:5]}:\n{self.told()}"
        assert not unknown, f"{len(unknown)} rows nobody wrote, such as {unknown[:5]}:\n{self.told()}"
        self.workload.sync()
        assert self.workload.differing() == 0, f"the other side differs:\n{self.told()}"
        if self.beside is not None:
            self._look_beside(self.beside)
        failed = applications.load.failures.total()
        if self.drawn.fault in (KILL, STOP) or "database" in self.drawn.fault:
            assert not failed, f"requests failed: {applications.load.failures}\n{self.told()}"
        self.figures |= {
            "rows": len(acknowledged),
            "lost": 0,
            "refused": sum(writer.refused for writer in applications.writers),
            "longest_wait": round(applications.through.longest_pause, 2),
            "requests": applications.load.answered,
            "failed_requests": failed,
        }

    def _look_beside(self, beside: Beside) -> None:
        beside.stop()
        wrong = beside.wrong_at(self.drawn.click)
        assert not wrong, f"{wrong}:\n{self.told()}"
        self.figures |= {
            "records": len(beside.producer.acknowledged),
            "records_lost": 0,
            "held_back": beside.producer.held_back,
        }

    def told(self) -> str:
        """Return the round and what happened, for whoever must repeat it."""
        return "\n  ".join([str(self.drawn), *self.history])


def _has_ended(stack: Stack, name: str) -> bool:
    record = records.read(stack.state_dir, name)
    return record is not None and record.exit is not None
