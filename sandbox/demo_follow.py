"""Follows one Airflow run: asks for its state and puts together what a person wants to see."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sandbox.demo_airflow import FINISHED, AirflowClient, TaskState

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Step:
    """One task of the run, all its mapped instances together.

    :param state: that of the instance that is furthest from success.
    """

    task_id: str
    state: str
    done: int
    total: int


@dataclass(frozen=True)
class View:
    """One look at a run."""

    dag_id: str
    state: str
    seconds: float
    steps: tuple[Step, ...] = ()
    objects_done: int = 0
    objects_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: float = 0.0
    question: str | None = None
    question_attempt: int = 0


@dataclass
class _Shards:
    """Objects and bytes of each shard, by dataset, once the plans are known."""

    by_dataset: dict[str, list[dict[str, int]]] = field(default_factory=dict)
    first_copy: float | None = None
    last_done: float | None = None
    bytes_done: int = 0


class RunFollower:
    """Follows the run ``run_id`` of ``dag_id``.

    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        client: AirflowClient,
        dag_id: str,
        run_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._dag_id, self._run_id = client, dag_id, run_id
        self._clock, self._sleep = clock, sleep
        self._shards = _Shards()
        self._order: dict[str, int] = {}

    def views(self) -> Iterator[View]:
        """Yield one view about every second; the last one has a final state."""
        while True:
            view = self.look()
            yield view
            if view.state in FINISHED:
                return
            self._sleep(POLL_SECONDS)

    def look(self) -> View:
        """Return the run as it is now."""
        if not self._order:
            self._order = {task: place for place, task in enumerate(self._client.order(self._dag_id))}
        state = self._client.run_state(self._dag_id, self._run_id)
        tasks = self._client.tasks(self._dag_id, self._run_id)
        self._learn_plans(tasks)
        asked = any(task.state == "awaiting_input" for task in tasks)
        questions = self._client.open_questions(self._dag_id, self._run_id) if asked else []
        return self._view(state, tasks, questions[0][0] if questions else None)

    def _learn_plans(self, tasks: list[TaskState]) -> None:
        for task in tasks:
            dataset, _, name = task.task_id.rpartition(".")
            if name == "plan" and task.state == "success" and dataset not in self._shards.by_dataset:
                shards = self._client.xcom(self._dag_id, self._run_id, task.task_id, "return_value")
                self._shards.by_dataset[dataset] = shards or []

    def _view(self, state: str, tasks: list[TaskState], question: str | None) -> View:
        shards = [shard for listed in self._shards.by_dataset.values() for shard in listed]
        done = [self._shard(task) for task in tasks if _is_copy(task) and task.state == "success"]
        bytes_done = sum(shard["size_bytes"] for shard in done)
        return View(
            dag_id=self._dag_id,
            state=state,
            seconds=self._client.run_seconds(self._dag_id, self._run_id),
            steps=self._steps(tasks),
            objects_done=sum(shard["objects"] for shard in done),
            objects_total=sum(shard["objects"] for shard in shards),
            bytes_done=bytes_done,
            bytes_total=sum(shard["size_bytes"] for shard in shards),
            bytes_per_second=self._rate(tasks, bytes_done),
            question=question,
            question_attempt=next((task.attempt for task in tasks if task.task_id == question), 0),
        )

    def _steps(self, tasks: list[TaskState]) -> tuple[Step, ...]:
        # Airflow lists the instances of a mapped task last as soon as they exist; here they stay put.
        for task in tasks:
            self._order.setdefault(task.task_id, len(self._order))
        return tuple(sorted(steps_of(tasks), key=lambda step: self._order[step.task_id]))

    def _shard(self, task: TaskState) -> dict[str, int]:
        return self._shards.by_dataset[task.task_id.rpartition(".")[0]][task.map_index]

    def _rate(self, tasks: list[TaskState], bytes_done: int) -> float:
        shards, now = self._shards, self._clock()
        if shards.first_copy is None and any(_is_copy(t) and t.state != "none" for t in tasks):
            # What was done before anybody looked has no rate.
            shards.first_copy = now - POLL_SECONDS if not bytes_done else None
        if bytes_done > shards.bytes_done:
            shards.bytes_done, shards.last_done = bytes_done, now
        if shards.first_copy is None or shards.last_done is None:
            return 0.0
        return bytes_done / max(shards.last_done - shards.first_copy, POLL_SECONDS)


_WORST = (
    "failed",
    "upstream_failed",
    "up_for_retry",
    "awaiting_input",
    "running",
    "deferred",
    "queued",
    "scheduled",
    "none",
    "skipped",
    "success",
)


def steps_of(tasks: list[TaskState]) -> list[Step]:
    """Return one step for each task, in the order in which they came."""
    grouped: dict[str, list[str]] = {}
    for task in tasks:
        grouped.setdefault(task.task_id, []).append(task.state)
    return [
        Step(task_id, min(states, key=_rank), Counter(states)["success"], len(states))
        for task_id, states in grouped.items()
    ]


def _rank(state: str) -> int:
    return _WORST.index(state) if state in _WORST else 0


def _is_copy(task: TaskState) -> bool:
    return task.task_id.endswith(".copy") and task.map_index >= 0
