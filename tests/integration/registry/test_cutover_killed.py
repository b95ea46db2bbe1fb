"""A process that switches a registry dies at any step; the next click ends it, and nobody's run is lost."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from heavylift.connections import Connection
from heavylift.fencing import Side
from tests.integration.registry.test_cutover import Workload, refused
from tests.integration.registry.test_following import NEW_RUN
from tests.integration.registry.test_killed import noted
from tests.integration.registry.test_sync import A_DAY
from tests.integration.registry.test_tasks import finish, kill_when
from tests.support import switch_worker
from tests.support.longer import first_then_long
from tests.support.registry_task import start
from tests.support.stores import SOURCE_ROOT, TARGET_ROOT, TwoStores
from tests.support.two_databases import run_sql

PATIENCE = 120.0
CLICKS = 3
"""How often a person clicks: a session of what died may hold a lock for a moment."""


@dataclass
class Clients:
    """Clients that log runs on whichever side takes them.

    :param accepted: the runs that were acknowledged, with the side.
    """

    stores: TwoStores
    accepted: dict[str, Side] = field(default_factory=dict)
    live: Side = Side.SOURCE
    stop: threading.Event = field(default_factory=threading.Event)
    wrong: list[BaseException] = field(default_factory=list)

    def work(self) -> None:
        """Log one run after the other."""
        try:
            number = 0
            while not self.stop.wait(0.02):
                number += self._log(f"{number:032x}")
        except BaseException as error:
            self.wrong.append(error)

    def _log(self, run: str) -> bool:
        for side in (self.live, self.live.other):
            root = SOURCE_ROOT if side is Side.SOURCE else TARGET_ROOT
            try:
                run_sql(self._store(side), NEW_RUN.format(run, root))
            except psycopg.errors.ReadOnlySqlTransaction:
                continue
            self.accepted[run] = self.live = side
            return True
        return False

    def _store(self, side: Side) -> Connection:
        return self.stores.source if side is Side.SOURCE else self.stores.target


@contextmanager
def clients(stores: TwoStores) -> Iterator[Clients]:
    """Let clients log for the length of the block."""
    found = Clients(stores)
    thread = threading.Thread(target=found.work)
    thread.start()
    try:
        yield found
    finally:
        found.stop.set()
        thread.join()
    assert found.wrong == []


def environment(workload: Workload) -> dict[str, str]:
    """Return the connections of a workload, for a process of its own."""
    found = {"PATH": "/usr/bin:/bin", "AIRFLOW_CONN_EVIDENCE": json.dumps({"conn_type": "generic"})}
    for side in ("source", "target"):
        store = getattr(workload.stores, side)
        fields = {name: getattr(store, name) for name in ("host", "port", "login", "password", "schema")}
        found[f"AIRFLOW_CONN_STORE_{side.upper()}"] = json.dumps({"conn_type": "postgres", **fields})
        server = {"conn_type": "mlflow", "host": "http://127.0.0.1:9"}
        found[f"AIRFLOW_CONN_SERVER_{side.upper()}"] = json.dumps(server)
    return found


@dataclass
class Switching:
    """Switches a workload by processes that may be killed; each of its clicks is a run of its own."""

    workload: Workload
    folder: Path
    clicks: int = 0
    told: list[str] = field(default_factory=list)

    def start(self, side: Side) -> subprocess.Popen[str]:
        """Start a process that switches."""
        self.clicks += 1
        file = self.folder / "spec.yaml"
        return switch_worker.start(file, side.value, f"click-{self.clicks}", environment(self.workload))

    def strike(self, side: Side, lines: int, delay: float) -> None:
        """Kill a switch so many steps and seconds after its beginning, or let it end where it has less."""
        process = self.start(side)
        assert process.stderr is not None
        seen = [line.rstrip() for _, line in zip(range(lines + 1), process.stderr, strict=False)]
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        self.told.append(f"to the {side} struck ({process.returncode}) after {seen[-1:]}")

    def bring(self, side: Side) -> None:
        """Switch, by as many clicks as a person needs."""
        for _ in range(CLICKS):
            process = self.start(side)
            output, said = process.communicate(timeout=PATIENCE)
            outcome = json.loads(output)["outcome"] if output.strip() else "none"
            self.told.append(f"to the {side}: {outcome}")
            if outcome in {"switched", "already"}:
                return
            self.told.append(said[-1500:])
        raise AssertionError("\n".join(self.told))


@pytest.mark.parametrize("seed", first_then_long(range(14)))
def test_killed_at_any_step_the_next_click_ends_it_and_no_run_is_lost(
    stores: TwoStores, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    workload = Workload(stores, tmp_path)
    workload.follow()
    switching = Switching(workload, tmp_path)
    goal, click = rng.choice(list(Side)), rng.choice(list(Side))
    with clients(stores) as running:
        if goal is Side.SOURCE:
            switching.bring(Side.TARGET)
        # One step later with each seed, and sometimes twice in a row.
        switching.strike(goal, seed % 10, rng.uniform(0, 0.3))
        if rng.random() < 0.3:
            switching.strike(click, rng.randrange(10), rng.uniform(0, 0.3))
        switching.bring(click)
        before = len(running.accepted)
        while len(running.accepted) < before + 3 and not running.wrong:
            running.stop.wait(0.02)
    other = stores.target if click is Side.SOURCE else stores.source
    assert (running.live, refused(other, "DELETE FROM runs")) == (click, True), switching.told
    assert workload.sync() == ("forward" if click is Side.SOURCE else "reverse")
    stores.assert_equal()
    logged = {row[0] for row in stores.on_source("SELECT run_uuid FROM runs WHERE name = 'n'")}
    assert logged == set(running.accepted), switching.told


@pytest.mark.long
def test_the_task_that_begins_to_follow_is_killed_and_the_next_one_goes_on(
    stores: TwoStores, tmp_path: Path
) -> None:
    workload = Workload(stores, tmp_path)
    spec, begin = tmp_path / "spec.yaml", 'sync:{"begin": true}'
    kill_when(start(spec, environment(workload), begin), lambda: len(noted(stores)) > 10)
    stores.on_source(A_DAY)
    (begun,) = finish(start(spec, environment(workload), begin))
    assert (begun["direction"], begun["caught_up"]) == ("forward", True)
    stores.assert_equal()
    stores.on_source(NEW_RUN.format("a" * 32, SOURCE_ROOT))
    (later,) = finish(start(spec, environment(workload), begin))
    assert (later["direction"], later["changes"]) == ("forward", 1)
    workload.bring(Side.TARGET)
    stores.on_target(NEW_RUN.format("b" * 32, TARGET_ROOT))
    (back,) = finish(start(spec, environment(workload), begin))
    assert (back["direction"], back["changes"]) == ("reverse", 1)
    stores.assert_equal()
