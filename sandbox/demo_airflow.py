"""The few calls that the demo makes to Airflow's REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from heavylift.errors import NotFoundError, ServerUnavailableError
from sandbox.http import Answer, request
from sandbox.waiting import until

FINISHED = frozenset({"success", "failed"})
TIMEOUT_SECONDS = 60.0
READ_ATTEMPTS = 3
_PAGE = 100
_NOISE = frozenset({"Worker startup parse complete", "Task failed with exception", "Retry policy decision"})
"""What Airflow says of every failed task, whatever failed."""


@dataclass(frozen=True)
class TaskState:
    """One task instance, as the demo shows it.

    :param map_index: -1 for a task that is not mapped.
    :param pid: process of the running attempt, None where there is none.
    """

    task_id: str
    map_index: int
    state: str
    attempt: int
    pid: int | None = None


class AirflowClient:
    """Talks to one Airflow as one user. Logs in on first use.

    :param url: the address of the UI, without a slash at the end.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._token = ""

    def wait_for_dag(self, dag_id: str, timeout: float = 90.0) -> None:
        """Wait until the DAG is known.

        :raises NotFoundError: it is not, after ``timeout`` seconds; import errors are told.
        """
        path = f"/dags/{quote(dag_id)}"
        if not until(lambda: self._call("GET", path, allowed=(200, 404)).status == 200, seconds=timeout):
            raise self._missing(dag_id, timeout)

    def unpause(self, dag_id: str) -> None:
        """Let the DAG's runs start."""
        self._json("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Keep further runs of the DAG from starting."""
        self._json("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": True})

    def unfinished(self, dag_id: str) -> list[str]:
        """Return the ids of the DAG's runs that have not finished."""
        found = self._json("GET", f"/dags/{quote(dag_id)}/dagRuns?state=queued&state=running")["dag_runs"]
        return [str(run["dag_run_id"]) for run in found]

    def end_runs(self, dag_id: str) -> int:
        """Mark every run of the DAG that has not finished as failed; return how many there were."""
        runs = self.unfinished(dag_id)
        for run_id in runs:
            self._json("PATCH", _run_path(dag_id, run_id), {"state": "failed"})
        return len(runs)

    def trigger(self, dag_id: str, note: str, **conf: Any) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": conf, "note": note}
        return str(self._json("POST", f"/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def last_run(self, dag_id: str) -> str:
        """Return the id of the DAG's newest run."""
        found = self._json("GET", f"/dags/{quote(dag_id)}/dagRuns?order_by=-run_after&limit=1")
        return str(found["dag_runs"][0]["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self._json("GET", _run_path(dag_id, run_id))["state"])

    def run_seconds(self, dag_id: str, run_id: str) -> float:
        """Return for how long a run has gone on, or went on before it ended; 0 before it starts."""
        found = self._json("GET", _run_path(dag_id, run_id))
        if not found.get("start_date"):
            return 0.0
        end = datetime.fromisoformat(found["end_date"]) if found.get("end_date") else datetime.now(UTC)
        return max((end - datetime.fromisoformat(found["start_date"])).total_seconds(), 0.0)

    def order(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's tasks so that each comes after what it waits for, groups together."""
        found = self._json("GET", f"/dags/{quote(dag_id)}/tasks")["tasks"]
        return in_order({raw["task_id"]: raw["downstream_task_ids"] for raw in found})

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return all task instances of a run."""
        return [
            TaskState(raw["task_id"], raw["map_index"], raw["state"] or "none", raw["try_number"], raw["pid"])
            for raw in self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances")
        ]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        """Return one XCom value, None where there is none."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/{quote(key)}"
        answer = self._call("GET", f"{path}?map_index={map_index}&deserialize=true", allowed=(200, 404))
        return json.loads(answer.body)["value"] if answer.status == 200 else None

    def state_value(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> Any:
        """Return what a task keeps in its state store under ``key``, None where there is nothing."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/state-store/{quote(key)}"
        answer = self._call("GET", f"{path}?map_index={map_index}", allowed=(200, 404))
        return json.loads(answer.body)["value"] if answer.status == 200 else None

    def map_title(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
        """Return what the UI calls one mapped instance of a task."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/{map_index}"
        return str(self._json("GET", path)["rendered_map_index"])

    def fetch(self, url: str) -> Answer:
        """Return a page of the UI as the logged-in user sees it.

        :raises ServerUnavailableError: it is not there, or the user may not see it.
        """
        answer = self._send("GET", url, {"Authorization": f"Bearer {self._token or self._log_in()}"}, None)
        if answer.status != 200:
            raise _unexpected(f"GET {url}", answer)
        return answer

    def log_tail(self, dag_id: str, run_id: str, task: TaskState, lines: int = 5) -> list[str]:
        """Return the last lines of a task's log."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task.task_id)}/logs/{max(task.attempt, 1)}"
        answer = self._call("GET", f"{path}?map_index={task.map_index}&full_content=true", allowed=(200, 404))
        content = json.loads(answer.body).get("content", []) if answer.status == 200 else []
        events = [str(item.get("event", "")) for item in content if isinstance(item, dict)]
        told = [event for event in events if event and not event.startswith("::") and event not in _NOISE]
        return told[-lines:]

    def open_questions(self, dag_id: str, run_id: str) -> list[tuple[str, int]]:
        """Return the tasks of a run that wait for a person, as task id and map index."""
        path = f"{_run_path(dag_id, run_id)}/hitlDetails?response_received=false"
        found = self._json("GET", path)["hitl_details"]
        return [(raw["task_instance"]["task_id"], raw["task_instance"]["map_index"]) for raw in found]

    def answer(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: int,
        option: str,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Answer a task that waits for a person.

        :param facts: what is typed into the question's fields, by name.
        """
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/{map_index}/hitlDetails"
        self._json("PATCH", path, {"chosen_options": [option], "params_input": dict(facts or {})})

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Set a task's state by hand, as the UI's "Mark as" does."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}"
        self._json("PATCH", path, {"new_state": state})

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """Clear a task with everything downstream of it, so that the run goes on from there.

        :param map_index: of a mapped task, the one instance to clear; all of them by default.
        """
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id if map_index < 0 else [task_id, map_index]],
            "only_failed": False,
            "include_downstream": True,
            "reset_dag_runs": True,
        }
        self._json("POST", f"/dags/{quote(dag_id)}/clearTaskInstances", body)

    def page_of(self, dag_id: str, run_id: str, task_id: str | None = None) -> str:
        """Return the address of a run, or of the question that a task asks, in the UI."""
        page = f"{self._url}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
        return f"{page}/tasks/{quote(task_id)}/required_actions" if task_id else page

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._json("GET", f"{path}?limit={_PAGE}&offset={offset}")
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._call(method, path, body)
        document: dict[str, Any] = json.loads(answer.body)
        return document

    def _call(self, method: str, path: str, body: Any = None, allowed: Sequence[int] = (200, 201)) -> Answer:
        headers = {"Authorization": f"Bearer {self._token or self._log_in()}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        answer = self._send(method, f"{self._url}/api/v2{path}", headers, data)
        if answer.status not in allowed:
            raise _unexpected(f"{method} {path}", answer)
        return answer

    def _log_in(self) -> str:
        body = json.dumps(self._login).encode()
        answer = self._send("POST", f"{self._url}/auth/token", {"Content-Type": "application/json"}, body)
        if answer.status != 201:
            raise _unexpected("log in to Airflow", answer)
        self._token = json.loads(answer.body)["access_token"]
        return self._token

    def _send(self, method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
        # Reading may be repeated; a busy machine can keep one answer waiting.
        attempts = READ_ATTEMPTS if method == "GET" else 1
        for _attempt in range(attempts):
            try:
                return request(url, method=method, headers=headers, body=data, timeout=TIMEOUT_SECONDS)
            except OSError as error:
                trouble = error
        raise self._unreachable(trouble) from trouble

    def _unreachable(self, error: OSError) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"a request to Airflow at {self._url}",
            got=f"{type(error).__name__}: {error}",
            expected="an answer",
            state="the run, if one was started, goes on without the demo",
            remedy="look at the logs under .sandbox/logs, then run ./dev demo again",
            code="9801",
        )

    def _missing(self, dag_id: str, timeout: float) -> NotFoundError:
        errors = [
            f"{raw['filename']}: {raw['stack_trace'].strip().splitlines()[-1]}"
            for raw in self._pages("/importErrors", "import_errors")
        ]
        return NotFoundError(
            f"waiting {timeout:.0f} s for the DAG {dag_id}",
            got="; ".join(errors) or "no such DAG and no import error",
            expected=f"a DAG {dag_id}",
            state="nothing was moved",
            remedy="correct the import error, or look at .sandbox/logs for the DAG processor",
            code="9802",
        )


def in_order(downstream: Mapping[str, Sequence[str]]) -> list[str]:
    """Return tasks so that each comes after what it waits for; what hangs together stays together.

    :param downstream: task → the tasks that wait for it.
    """
    found: list[str] = []
    seen: set[str] = set()

    def visit(task: str) -> None:
        if task in seen:
            return
        seen.add(task)
        for after in reversed(downstream.get(task, ())):
            visit(after)
        found.append(task)

    waiting = {each for after in downstream.values() for each in after}
    for task in reversed(list(downstream)):
        if task not in waiting:
            visit(task)
    return found[::-1]


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"


def _unexpected(what: str, answer: Answer) -> ServerUnavailableError:
    return ServerUnavailableError(
        what,
        got=f"HTTP {answer.status}: {answer.body[:300].decode(errors='replace')}",
        expected="success",
        state="the run, if one was started, goes on without the demo",
        remedy="look at the logs under .sandbox/logs, then run ./dev demo again",
        code="9803",
    )
