"""Runs of the example's DAGs, and what to ask of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.connections import connection_from_env
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import AuditEntry
from heavylift.evidence.store import open_evidence
from heavylift.spec import MigrationSpec, Phase
from sandbox.demo_airflow import FINISHED, AirflowClient, TaskState
from sandbox.demo_results import RunResults, read_results
from sandbox.stack import Stack
from sandbox.waiting import until

PATIENCE_SECONDS = 420.0
ENDED = frozenset({"success", "failed", "skipped"})


@dataclass
class Run:
    """One run of one DAG."""

    journey: Journey
    phase: Phase
    run_id: str
    name: str = ""
    """Of a DAG that belongs to the phase and is not called like it, such as ``drill``."""
    answers: list[str] = field(default_factory=list)
    _asked: list[TaskState] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        return self.journey.dag_id(self.phase, self.name)

    @property
    def state(self) -> str:
        return self.journey.client.run_state(self.dag_id, self.run_id)

    def tasks(self) -> list[TaskState]:
        """Return all task instances as they are now."""
        return self.journey.client.tasks(self.dag_id, self.run_id)

    def states(self) -> dict[str, str]:
        """Return task id → state; of mapped tasks the last instance's."""
        return {task.task_id: task.state for task in self.tasks()}

    def trouble(self) -> str:
        """Return which tasks failed and what each said last."""
        failed = [task for task in self.tasks() if task.state == "failed"]
        tails = [self.journey.client.log_tail(self.dag_id, self.run_id, task, lines=3) for task in failed]
        return "\n".join(
            f"{task.task_id}[{task.map_index}], attempt {task.attempt}: {' / '.join(tail)}"
            for task, tail in zip(failed, tails, strict=True)
        )

    def wait_for(self, what: Callable[[list[TaskState]], Any]) -> Any:
        """Return the first true answer of ``what``; it must come before the run ends."""

        def ask() -> Any:
            state = self.state
            found = what(self.tasks())
            assert found or state not in FINISHED, f"the run ended {state}: {self.states()}"
            return found

        found = until(ask, seconds=PATIENCE_SECONDS)
        assert found, f"nothing in {PATIENCE_SECONDS} s: {self.states()}"
        return found

    def wait_for_question(self) -> str:
        """Return the id of the task that asks a person, once it does."""
        asked: str = self.wait_for(
            lambda tasks: next((t.task_id for t in tasks if t.state == "awaiting_input"), None)
        )
        return asked

    def answer(self, option: str) -> None:
        """Answer the run's question as the administrator."""
        task_id = self.wait_for_question()
        self.journey.client.answer(self.dag_id, self.run_id, task_id, -1, option)
        self.answers.append(option)

    def _answer_again(self) -> None:
        """Give the last answer again: Airflow asks anew where it met the end of the asking process."""
        if not self.answers:
            return
        for question in self.journey.client.open_questions(self.dag_id, self.run_id):
            self.journey.client.answer(self.dag_id, self.run_id, question[0], -1, self.answers[-1])

    def end(self) -> str:
        """Wait until the run has ended and return its state."""

        def ended() -> str:
            state = self.state
            if state in FINISHED:
                return state
            self._answer_again()
            return ""

        state = until(ended, seconds=PATIENCE_SECONDS)
        assert state, f"the run did not end in {PATIENCE_SECONDS} s: {self.states()}"
        return state

    def answer_each(self, answers: Mapping[str, Mapping[str, str]], option: str) -> str:
        """Answer every question as the administrator until the run has ended; return its state.

        :param answers: what to type into the fields of each task's question, by the task's last name.
        """

        def look() -> str:
            state = self.state
            if state in FINISHED:
                return state
            for task in self._asking(self.tasks()):
                self._answer_task(task, option, answers[task.task_id.rpartition(".")[2]])
            return ""

        state = until(look, seconds=PATIENCE_SECONDS)
        assert state, f"the run did not end in {PATIENCE_SECONDS} s: {self.states()}"
        return state

    def answer_one(self, task_id: str, map_index: int, option: str, facts: Mapping[str, str]) -> TaskState:
        """Answer one task's question as the administrator, and return the task once it has ended."""

        def look(tasks: list[TaskState]) -> TaskState | None:
            task = next((t for t in tasks if (t.task_id, t.map_index) == (task_id, map_index)), None)
            if task in self._asking(tasks):
                self._answer_task(task, option, facts)
            return task if task and task.state in ENDED else None

        ended: TaskState = self.wait_for(look)
        return ended

    def _asking(self, tasks: list[TaskState]) -> list[TaskState]:
        """Return the tasks that ask, and did so at the last look too.

        An answer within the second in which the asking process ends makes Airflow's scheduler take
        that end for the task's own; the task is then asked again, at the price of a retry.
        """
        asking = [task for task in tasks if task.state == "awaiting_input"]
        questions = self.journey.client.open_questions(self.dag_id, self.run_id) if asking else []
        asking = [task for task in asking if (task.task_id, task.map_index) in questions]
        before, self._asked = self._asked, asking
        return [task for task in asking if task in before]

    def _answer_task(self, task: TaskState, option: str, facts: Mapping[str, str]) -> None:
        client = self.journey.client
        client.answer(self.dag_id, self.run_id, task.task_id, task.map_index, option, facts)

    def results(self) -> RunResults:
        """Return what the evidence store says of the run."""
        journey = self.journey
        return asyncio.run(read_results(journey.spec, self.phase, self.run_id, journey.stack.env))

    def log_tail(self, task_id: str) -> str:
        """Return the last lines of a task's log."""
        (task,) = [task for task in self.tasks() if task.task_id == task_id]
        return "\n".join(self.journey.client.log_tail(self.dag_id, self.run_id, task, lines=3))


@dataclass
class Journey:
    """Two clouds, Airflow, and the migration between them."""

    stack: Stack
    client: AirflowClient
    spec: MigrationSpec

    def dag_id(self, phase: Phase, name: str = "") -> str:
        """Return the id of a phase's DAG, or of another one that belongs to it."""
        return f"{self.spec.migration}.{name}" if name else self.spec.dag_id(phase)

    def start(self, phase: Phase, name: str = "", **conf: Any) -> Run:
        """Trigger a run as a person would in the form."""
        dag_id = self.dag_id(phase, name)
        self.client.wait_for_dag(dag_id)
        self.client.unpause(dag_id)
        return Run(self, phase, self.client.trigger(dag_id, note="e2e", **conf), name)

    def begun_by_itself(self, phase: Phase, name: str = "") -> Run:
        """Return the run of a DAG that something else than a person has started, once it is there."""
        dag_id = self.dag_id(phase, name)
        begun = until(lambda: self.client.unfinished(dag_id), seconds=PATIENCE_SECONDS)
        assert begun, f"no run of {dag_id} in {PATIENCE_SECONDS} s"
        return Run(self, phase, begun[0], name)

    def trail(self) -> list[AuditEntry]:
        """Return the migration's audit trail."""

        async def read() -> list[AuditEntry]:
            connection = connection_from_env(self.spec.evidence.connection, self.stack.env)
            async with open_evidence(self.spec.evidence.url, connection) as store:
                return [entry async for entry in AuditTrail(store, self.spec.migration).entries()]

        return asyncio.run(read())
