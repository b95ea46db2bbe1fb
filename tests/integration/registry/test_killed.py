"""A copy or sync that is killed at any moment goes on, and ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from heavylift.errors import TransientError
from heavylift.evidence.registry_records import RegistryMoveRecord
from heavylift.registry.store.moving import move_store
from heavylift.registry.work import RegistryProgress, Work
from sandbox.examples.experiments import Sizes
from sandbox.stack import Stack
from tests.integration.registry.test_sync import A_DAY
from tests.support.longer import first_then_long
from tests.support.registry_worker import start
from tests.support.stores import TwoStores, two_stores

SIZES = Sizes(runs=120, metrics=5, steps=60, models=5, traces=10)
NOTED = "SELECT table_name, written_at FROM heavylift.registry_table ORDER BY 1"


def noted(stores: TwoStores) -> dict[str, object]:
    """Return the tables that are finished, and since when."""
    if stores.on_target("SELECT to_regclass('heavylift.registry_table')") == [(None,)]:
        return {}
    return dict(stores.on_target(NOTED))  # type: ignore[arg-type]


def kill_when(process: subprocess.Popen[str], due: Callable[[], bool]) -> bool:
    """Kill a worker as soon as it is due; tell whether it was still at work."""
    while process.poll() is None and not due():
        time.sleep(0.001)
    process.kill()
    output, _ = process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}, output
    return process.returncode == -signal.SIGKILL


def finish(stores: TwoStores, **options: str) -> RegistryMoveRecord:
    """Copy to the end, once what is left of the killed run has let go."""
    until = time.monotonic() + 120
    while True:
        try:
            return stores.copy(**options)
        except TransientError as error:
            if error.code != "7120" or time.monotonic() > until:
                raise


@pytest.mark.long
@pytest.mark.parametrize("seed", first_then_long([1, 2]))
def test_a_killed_copy_goes_on_while_the_source_changes(store_sandbox: Stack, seed: int) -> None:
    chance = random.Random(seed)
    with two_stores(store_sandbox.env, sizes=SIZES) as stores:
        after = chance.randint(3, 50)
        assert kill_when(start(stores, "copy"), lambda: len(noted(stores)) >= after), f"seed {seed}: too late"
        before = noted(stores)
        assert len(before) >= after
        record = finish(stores)
        now = noted(stores)
        assert before.items() <= now.items(), f"seed {seed}: a finished table was written again"
        assert {each.table for each in record.tables if each.action == "copied"} == set(now) - set(before)
        stores.assert_equal()

        # And once more from the beginning, with a day's work between the kill and the next run.
        stores.on_target("DROP SCHEMA heavylift CASCADE")
        stores.on_target("TRUNCATE " + ", ".join(stores.tables()) + " CASCADE")
        assert kill_when(start(stores, "copy"), lambda: len(noted(stores)) >= after), f"seed {seed}: too late"
        stores.on_source(A_DAY)
        finish(stores, deletes="propagate")
        stores.assert_equal()


@pytest.mark.parametrize("delay", first_then_long([0.1, 0.02]))
def test_a_killed_sync_leaves_all_or_nothing(store_sandbox: Stack, delay: float) -> None:
    with two_stores(store_sandbox.env, sizes=SIZES) as stores:
        stores.copy()
        before = stores.digests()
        stores.on_source(A_DAY)
        process = start(stores, "sync", deletes="propagate")
        claimed = "SELECT epoch > 1 FROM heavylift.registry_store"
        kill_when(process, lambda: stores.on_target(claimed) == [(True,)] and not time.sleep(delay))
        if stores.digests() != before:
            stores.assert_equal()
        finish(stores, deletes="propagate")
        stores.assert_equal()


@pytest.mark.long
def test_stopped_on_request_it_goes_on_later(store_sandbox: Stack) -> None:
    with two_stores(store_sandbox.env, sizes=SIZES) as stores:
        work = Work()

        def stop_midway(progress: RegistryProgress) -> None:
            if progress.tables_done >= 10:
                work.stop.set()

        stopping = Work(work.stop, stop_midway)
        with pytest.raises(TransientError, match="HL-6112"):
            move_store(stores.request(), stopping, "copy")
        done = noted(stores)
        assert 10 <= len(done) < 62
        stores.copy()
        assert done.items() <= noted(stores).items()
        stores.assert_equal()
