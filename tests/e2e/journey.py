"""Runs of the example's DAGs, and what to ask of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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


@dataclass
class Run:
    """One run of one DAG."""

    journey: Journey
    phase: Phase
    run_id: str
    answers: list[str] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        return self.journey.spec.dag_id(self.phase)

    @property
    def state(self) -> str:
        return self.journey.client.run_state(self.dag_id, self.run_id)

    def tasks(self) -> list[TaskState]:
        """Return all task instances as they are now."""
        return self.journey.client.tasks(self.dag_id, self.run_id)

    def states(self) -> dict[str, str]:
        """Return task id → state; of mapped tasks the last instance's."""
        return {task.task_id: task.state for task in self.tasks()}

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

    def start(self, phase: Phase, **conf: Any) -> Run:
        """Trigger a run as a person would in the form."""
        dag_id = self.spec.dag_id(phase)
        self.client.wait_for_dag(dag_id)
        self.client.unpause(dag_id)
        return Run(self, phase, self.client.trigger(dag_id, note="e2e", **conf))

    def trail(self) -> list[AuditEntry]:
        """Return the migration's audit trail."""

        async def read() -> list[AuditEntry]:
            connection = connection_from_env(self.spec.evidence.connection, self.stack.env)
            async with open_evidence(self.spec.evidence.url, connection) as store:
                return [entry async for entry in AuditTrail(store, self.spec.migration).entries()]

        return asyncio.run(read())
