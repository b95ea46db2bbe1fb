"""Rounds of switches by Airflow, in which one of Airflow's own processes is killed at a random moment."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

from heavylift.fencing import Side
from heavylift.spec import Phase
from sandbox.demo_airflow import FINISHED
from sandbox.processes import Ident, wait_gone
from sandbox.waiting import until
from tests.e2e.airflow_site import API_SERVER, PARTS, SCHEDULER, TRIGGERER, AirflowSite
from tests.e2e.journey import Run
from tests.support.switched import Applications

ALL, ALONE = "kill scheduler with its workers", "kill scheduler alone"
TASK, WORKER = "kill task's process", "kill worker"
TRIGGER, API = "kill triggerer", "kill API server"
EVERYTHING = "kill all of Airflow, and roll back from a shell"
FAULTS = (ALL, WORKER, EVERYTHING, TASK, ALONE, API, TRIGGER)
ASKING = "gate_cutover-ready.approve"
FROZEN = "writes frozen"
MOMENTS = {
    Phase.CUTOVER: ("check_readiness", "take_turn", "promote", FROZEN, FROZEN, FROZEN, "settle"),
    Phase.ROLLBACK: ("begin_run", "roll_back", FROZEN, FROZEN, FROZEN, "build_report"),
}
SWITCHING = {Phase.CUTOVER: "promote", Phase.ROLLBACK: "roll_back"}
GOALS = {Phase.CUTOVER: Side.TARGET, Phase.ROLLBACK: Side.SOURCE}
WAIT = 420.0
SHUT = 240.0
"""No writer may have to wait for longer than this, however long Airflow stays dead."""


@dataclass(frozen=True)
class Round:
    """What happens in one round, all of it drawn from its seed.

    :param phase: the DAG whose run is struck.
    :param moment: a task of it that runs, or that writes are frozen.
    :param delay: how many seconds later it is struck.
    :param down: how many seconds what was killed stays dead.
    :param click: the next run's DAG; a rollback where the struck cutover came to its goal all the same.
    :param at_once: the next run is triggered while the first may still go on.
    """

    seed: int
    fault: str
    phase: Phase
    moment: str
    delay: float
    down: float
    click: Phase
    at_once: bool

    @classmethod
    def draw(cls, seed: int) -> Round:
        """Draw a round. Seeds that follow each other kill one thing after the other."""
        rng = random.Random(seed)
        phase = rng.choice((Phase.CUTOVER, Phase.CUTOVER, Phase.ROLLBACK))
        moment = rng.choice(MOMENTS[phase])
        delay = rng.uniform(0.0, 1.5)
        down = rng.choice((0.0, rng.uniform(5, 30), rng.uniform(30, 60)))
        click = rng.choice((Phase.CUTOVER, Phase.ROLLBACK))
        at_once = click is not phase and rng.random() < 0.5
        return cls(seed, FAULTS[seed % len(FAULTS)], phase, moment, delay, down, click, at_once)

    @property
    def goal(self) -> Side:
        """Where everything is led by the run that is struck."""
        return GOALS[self.phase]

    def __str__(self) -> str:
        down = f", for {self.down:.0f} s" if self.fault not in (TASK, WORKER) else ""
        when = "writes are frozen" if self.moment == FROZEN else f"{self.moment} runs"
        then = "at once" if self.at_once else "then"
        return (
            f"seed {self.seed}: {self.fault}{down}, {self.delay:.2f} s after {when} in a {self.phase.value};"
            f" {then} {self.click.value}"
        )


class Answers:
    """A person who approves whatever a run asks, until the run has ended or nobody waits any more."""

    def __init__(self, site: AirflowSite, run: Run) -> None:
        self._site, self._run = site, run
        self._stop = threading.Event()
        self._asked: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._stop.wait(1.0):
            self._site.ask(self._answer)

    def _answer(self) -> None:
        client, run = self._site.journey.client, self._run
        waiting = {(each.task_id, each.map_index) for each in run.tasks() if each.state == "awaiting_input"}
        asked = [each for each in client.open_questions(run.dag_id, run.run_id) if each in waiting]
        # An answer within the second in which the asking process ends is taken for that end.
        for task_id, index in asked:
            if (task_id, index) in self._asked:
                client.answer(run.dag_id, run.run_id, task_id, index, "Approve")
        self._asked = asked


@dataclass
class Running:
    """A round that runs."""

    site: AirflowSite
    drawn: Round
    history: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Run it, and look that everything is as it has to be; return its figures.

        :raises AssertionError: something is not.
        """
        workload = self.site.workload
        client = self.site.journey.client
        for dag_id in map(self.site.journey.dag_id, GOALS):
            client.wait_for_dag(dag_id)
            # One that the round before has overtaken may wait for a person still.
            client.end_runs(dag_id)
        origin = self.drawn.goal.other
        if not workload.world().settled_at(origin):
            self.site.switch_by_shell(origin)
        workload.sync()
        applications = Applications(workload, *Side, begin=self.site.begin_rows())
        try:
            with applications:
                self._writes_go_on(applications, 60.0)
                applications.through.longest_pause = 0.0
                self._struck(applications)
                self.figures["pause"] = round(applications.through.longest_pause, 1)
                applications.through.longest_pause = 0.0
                self._click()
                self._writes_go_on(applications, 60.0)
                self.figures["click_pause"] = round(applications.through.longest_pause, 1)
        finally:
            # What a round that fails has written is there in the next one, too.
            self.site.acknowledged |= set(applications.acknowledged)
        self._look(applications)
        return self.figures

    def _struck(self, applications: Applications) -> None:
        run = self.site.journey.start(self.drawn.phase)
        with Answers(self.site, run):
            victim = self._wait_for_the_moment(run, applications)
            struck_at = time.monotonic()
            left = self._strike(victim)
            self._stays_down(struck_at)
            self._revive()
            if not self.drawn.at_once:
                self._ends(run)
            self._writes_go_on(applications, SHUT)
        # Workers without a scheduler would wait for work for ever.
        for each in left:
            each.send(signal.SIGKILL)
        wait_gone(left, 30.0)

    def _since(self, moment: float) -> float:
        return time.monotonic() - moment

    def _wait_for_the_moment(self, run: Run, applications: Applications) -> int | None:
        """Wait for it; return the process of the task that runs then."""
        task_id = SWITCHING[run.phase] if self.drawn.moment == FROZEN else self.drawn.moment
        pids: list[int] = []

        def runs() -> bool:
            pid = self.site.pid_of(run, task_id)
            pids[:] = [pid] if pid else pids
            return bool(pid) or self._is_over(run, task_id)

        assert until(runs, seconds=WAIT, longest=0.2), self.told()
        if self.drawn.moment == FROZEN:
            refused = applications.through.refused
            until(
                lambda: applications.through.refused > refused or self._is_over(run, task_id),
                seconds=WAIT,
                longest=0.02,
            )
        if pids:
            wait_gone([each for pid in pids if (each := Ident.of(pid))], self.drawn.delay)
        return pids[0] if pids else None

    def _is_over(self, run: Run, task_id: str) -> bool:
        tasks = self.site.ask(run.tasks) or []
        return any(each.task_id == task_id and each.state in {"success", "failed"} for each in tasks)

    def _strike(self, pid: int | None) -> list[Ident]:
        fault = self.drawn.fault
        self.history.append(f"{fault} at {time.strftime('%H:%M:%S')}, process {pid}")
        if fault in (ALL, ALONE):
            return self.site.kill(SCHEDULER, alone=fault == ALONE)
        if fault == EVERYTHING:
            return self._without_airflow()
        if fault in (TRIGGER, API):
            return self.site.kill(TRIGGERER if fault == TRIGGER else API_SERVER)
        victim = Ident.of(pid) if pid else None
        if victim is not None and fault == WORKER:
            parent = psutil.Process(victim.pid).parent()
            assert parent is not None
            assert "airflow worker" in " ".join(parent.cmdline()), parent.cmdline()
            victim = Ident.of(parent.pid)
        self.figures["struck"] = victim is not None
        if victim is not None:
            victim.send(signal.SIGKILL)
        return []

    def _without_airflow(self) -> list[Ident]:
        left = [each for name in PARTS for each in self.site.kill(name)]
        began = time.monotonic()
        told = self.site.roll_back_by_shell()
        self.figures["by_shell"] = round(self._since(began), 1)
        self.history.append(f"heavylift cutover rollback, in {self._since(began):.0f} s: {told.strip()}")
        assert self.site.workload.world().settled_at(Side.SOURCE), self.told()
        return left

    def _stays_down(self, struck_at: float) -> None:
        """Let it be dead for as long as it was drawn."""
        if self.drawn.fault not in (TASK, WORKER):
            until(lambda: self._since(struck_at) > self.drawn.down, seconds=self.drawn.down, longest=0.1)

    def _revive(self) -> None:
        began = time.monotonic()
        self.site.stack.ensure_airflow()
        self.history.append(f"Airflow is whole again, after {self._since(began):.0f} s")

    def _ends(self, run: Run) -> None:
        began = time.monotonic()
        state = until(lambda: self._finished(run), seconds=WAIT)
        told = f"the {run.phase.value} run {state or 'did not end'} {self._since(began):.0f} s after that"
        self.history.append(f"{told}: {self.site.ask(run.states)}")
        trouble = self.site.ask(run.trouble)
        self.history += [f"  {line}" for line in (trouble or "").splitlines()]
        self.figures["state"] = state
        assert state, self.told()

    def _finished(self, run: Run) -> str:
        state = self.site.ask(lambda: run.state) or ""
        return state if state in FINISHED else ""

    def _click(self) -> None:
        """Trigger the next run, as one does who has seen an error; it must work."""
        began = time.monotonic()
        run = self.site.journey.start(self.click)
        with Answers(self.site, run):
            state = until(lambda: self._finished(run), seconds=WAIT)
        seconds = self._since(began)
        self.history.append(f"{self.click.value}: {state} in {seconds:.0f} s: {run.states()}")
        self.figures["click_seconds"] = round(seconds, 1)
        assert state == "success", f"the next click does not work:\n{self.told()}\n{run.trouble()}"

    @property
    def click(self) -> Phase:
        """The next run's DAG."""
        # Nobody cuts over what is on the target: no gate would open.
        over = self.drawn.phase is Phase.CUTOVER and self.figures.get("state") == "success"
        return Phase.ROLLBACK if over else self.drawn.click

    def _writes_go_on(self, applications: Applications, seconds: float) -> None:
        wanted = len(applications.through.acknowledged) + 10
        self._until(lambda: len(applications.through.acknowledged) >= wanted, seconds, "writes do not go on")

    def _until(self, met: Callable[[], bool], seconds: float, otherwise: str) -> None:
        assert until(met, seconds=seconds, longest=0.1), f"{otherwise} in {seconds:.0f} s:\n{self.told()}"

    def _look(self, applications: Applications) -> None:
        workload, goal = self.site.workload, GOALS[self.click]
        assert not applications.broken, f"{applications.broken}\n{self.told()}"
        world = workload.world()
        assert world.settled_at(goal), f"not all on the {goal}: {world}\n{self.told()}"
        there = set(workload.ids(goal))
        lost, unknown = self.site.acknowledged - there, there - self.site.acknowledged
        assert not lost, f"{len(lost)} acknowledged rows are lost, such as {sorted(lost)[:5]}:\n{self.told()}"
        assert not unknown, f"{len(unknown)} rows nobody wrote: {sorted(unknown)[:5]}:\n{self.told()}"
        workload.sync()
        assert workload.differing() == 0, f"the other side differs:\n{self.told()}"
        failed = applications.load.failures.total()
        self.figures |= {
            "rows": len(applications.acknowledged),
            "lost": 0,
            "refused": sum(writer.refused for writer in applications.writers),
            "requests": applications.load.answered,
            "failed_requests": failed,
            "slowest_answer": round(applications.load.slowest, 1),
        }
        # Neither Envoy nor an endpoint was touched.
        assert not failed, f"requests failed: {applications.load.failures}\n{self.told()}"

    def told(self) -> str:
        """Return the round and what happened, for whoever must repeat it."""
        return "\n  ".join([str(self.drawn), *self.history])
