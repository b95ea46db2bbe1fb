"""A workload that Airflow switches, and what one needs to kill Airflow's own processes meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import HeavyliftError
from heavylift.fencing import Side
from heavylift.spec import Phase, load_spec
from sandbox import airflow, ports, processes, records, state
from sandbox.demo_airflow import AirflowClient
from sandbox.processes import Ident
from sandbox.stack import Stack
from sandbox.waiting import until
from tests.e2e.journey import Journey, Run
from tests.support import shell, switch_worker
from tests.support.switched import GRANT, OLD, TABLE, Switched, as_json, environment, lead_to_source
from tests.support.two_databases import two_databases

SCHEDULER, TRIGGERER, API_SERVER = "airflow_scheduler", "airflow_triggerer", "airflow_api_server"
PARTS = tuple(airflow.component_names())
MIGRATION = "rounds"
GONE_SECONDS = 60.0
SETTINGS = {
    # A task counts as dead after a minute of a busy machine, and not after Airflow's five.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
}
"""What makes Airflow notice sooner that a process of its own is dead; see docs/reference/production.md."""


@dataclass
class AirflowSite:
    """The sandbox with Airflow, one workload that is switched there and back, and its runs.

    :param first: the first row of the next round's writers.
    :param acknowledged: every row that was ever acknowledged.
    """

    stack: Stack
    workload: Switched
    journey: Journey
    first: int = 0
    acknowledged: set[int] = field(default_factory=set)

    def begin_rows(self) -> int:
        """Return the first row of a round's writers, which no other round writes."""
        begin, self.first = self.first, self.first + 10**7
        return begin

    def switch_by_shell(self, side: Side) -> None:
        """Bring everything to a side, undisturbed, without Airflow."""
        worker = switch_worker.start(
            self.workload.spec_file, side.value, f"by-hand-{self.first}", environment(self.workload)
        )
        out, told = worker.communicate()
        assert worker.returncode == 0, f"{out}\n{told}"

    def roll_back_by_shell(self) -> str:
        """Do what somebody on call does while there is no Airflow: one command; return what it said."""
        asked = ["cutover", "rollback", str(self.workload.spec_file)]
        status, told, errors = shell.start(asked, environment(self.workload)).end()
        assert status == 0, errors
        return told

    def kill(self, name: str, *, alone: bool = False) -> list[Ident]:
        """Kill one of Airflow's processes with all that descends from it; return what is left of these.

        :param alone: its descendants go on as orphans.
        """
        record = records.read(self.stack.state_dir, name)
        assert record is not None
        assert record.alive
        family = record.process.family()
        killed = [record.process] if alone else family
        for each in killed:
            each.send(signal.SIGKILL)
        assert not processes.wait_gone(killed, GONE_SECONDS)
        # What its supervisor notes later would be taken for the end of the next one.
        assert until(lambda: self._is_noted(name), seconds=GONE_SECONDS, longest=0.05)
        if name == API_SERVER:
            places = state.load(self.stack.state_dir).ports[airflow.NAME].values()
            assert until(lambda: all(ports.is_free(port) for port in places), seconds=GONE_SECONDS)
        return processes.running(family)

    def _is_noted(self, name: str) -> bool:
        record = records.read(self.stack.state_dir, name)
        return record is not None and record.exit is not None

    def ask(self, what: Any) -> Any:
        """Return an answer of Airflow's, None while nobody answers there."""
        try:
            return what()
        except HeavyliftError:
            return None

    def pid_of(self, run: Run, task_id: str) -> int | None:
        """Return the process of a task that runs, as Airflow knows it."""
        tasks = self.ask(run.tasks) or []
        found = [task.pid for task in tasks if task.task_id == task_id and task.state == "running"]
        return found[0] if found else None


@contextmanager
def airflow_site(folder: Path, **cutover: Any) -> Iterator[AirflowSite]:
    """Start everything, move the database by the phase transfer, and stop everything after.

    :param cutover: fields of the spec's section, over those of a plain switch.
    """
    folder.chmod(0o711)
    specs = folder / "migrations"
    specs.mkdir()
    with ExitStack() as opened:
        stack = Stack.start(folder / "state", ["traffic"])
        opened.callback(stack.stop)
        evidence = f"file://{folder}/evidence"
        pair = opened.enter_context(two_databases(stack.env, evidence))
        pair.on_source(f"{TABLE}; {OLD}; {GRANT}")
        known = {f"AIRFLOW_CONN_ROUND_{side.value.upper()}": as_json(getattr(pair, side)) for side in Side}
        spec_file = specs / f"{MIGRATION}.yaml"
        spec_file.write_text(yaml.safe_dump(_spec(evidence, cutover)))
        settings = {**SETTINGS, **known, "HEAVYLIFT_MIGRATIONS": str(specs)}
        with_airflow = Stack.start(folder / "state", ["traffic"], airflow=True, airflow_settings=settings)
        opened.callback(with_airflow.stop)
        workload = Switched(with_airflow, pair, spec_file, {**with_airflow.env, **known})
        site = AirflowSite(with_airflow, workload, _journey(with_airflow, spec_file))
        asyncio.run(lead_to_source(workload))
        run = site.journey.start(Phase.TRANSFER)
        assert run.end() == "success", run.trouble()
        pair.on_target(GRANT)
        yield site


def _journey(stack: Stack, spec_file: Path) -> Journey:
    assert stack.airflow_url is not None
    assert stack.airflow_login is not None
    return Journey(stack, AirflowClient(stack.airflow_url, *stack.airflow_login), load_spec(spec_file))


def _spec(evidence: str, cutover: dict[str, Any]) -> dict[str, Any]:
    platform = {"platform": "kubernetes", "connection": "evidence"}
    sides = {side.value: {"engine": "postgresql", "connection": f"round_{side.value}"} for side in Side}
    return {
        "apiVersion": "heavylift/v1",
        "migration": MIGRATION,
        "owner": "tests",
        "source": platform,
        "target": platform,
        "evidence": {"url": evidence},
        "defaults": {"retries": 3, "retry_delay": "2s", "max_retry_delay": "10s"},
        "databases": [{"name": "db", **sides}],
        "gates": [
            {
                "name": "proved",
                "phase": "transfer",
                "checks": ["tables_equal"],
                "approval": {"required": False},
            },
            {
                "name": "cutover-ready",
                "phase": "cutover",
                "checks": ["cutover_ready"],
                "approval": {"required": True},
            },
        ],
        "cutover": {
            "runbook_owner": "the tests",
            "traffic": {"adapter": "envoy", "connection": "traffic", "shadow": 0, "steps": [100]},
            "writers": {"adapter": "envoy", "connection": "traffic_writes"},
            "max_write_pause": "20s",
            "freeze_within": "5s",
            "max_lag": "60s",
            "soak": "1h",
            "rehearsed_within": None,
            "capacity": None,
            **cutover,
        },
    }
