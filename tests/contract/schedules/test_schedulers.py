"""What every adapter of a scheduler keeps to, against moto and against schema-checked servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from heavylift.cutover.schedules.opening import open_schedule
from heavylift.cutover.schedules.ports import SchedulePort
from heavylift.errors import (
    ConflictError,
    ConnectionConfigError,
    CredentialError,
    NotFoundError,
    ServerUnavailableError,
)
from heavylift.fencing import Side
from heavylift.spec.sections_switching import SwitchedSchedule
from tests.support.schedule_servers import (
    RAN,
    AirflowServer,
    CloudSchedulerServer,
    CronJobServer,
    MotoRule,
    MotoScheduler,
)

SERVERS = (AirflowServer, CloudSchedulerServer, CronJobServer, MotoScheduler, MotoRule)
CHECKED = (AirflowServer, CloudSchedulerServer, CronJobServer)
STARTING = (AirflowServer, CloudSchedulerServer, CronJobServer, MotoScheduler)
DUE = datetime(2026, 11, 29, 14, 30, tzinfo=UTC)


@dataclass
class Pair:
    """A running server, and two ports that know nothing of each other."""

    server: Any
    port: SchedulePort
    other: SchedulePort


def wanted(server: Any, **more: Any) -> SwitchedSchedule:
    place = {"adapter": server.adapter, "connection": "here", "id": server.id, **more}
    other = {**place, "id": f"{server.id}-2"}
    return SwitchedSchedule.model_validate(
        {"name": "n", "source": place, "target": other, "cron": "0 2 * * *"}
    )


async def opened(stack: AsyncExitStack, server: Any, connection: Any = None, **more: Any) -> SchedulePort:
    given = connection or server.connection
    schedule = await open_schedule(stack, wanted(server, **more), lambda _name: given)
    return schedule.sides[Side.SOURCE]


@pytest_asyncio.fixture
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    server = request.param()
    try:
        async with AsyncExitStack() as stack:
            yield Pair(server, await opened(stack, server), await opened(stack, server))
        assert getattr(server, "rejected", []) == []
    finally:
        server.close()


each = pytest.mark.parametrize("side", SERVERS, indirect=True, ids=lambda kind: kind.adapter)
checked = pytest.mark.parametrize("side", CHECKED, indirect=True, ids=lambda kind: kind.adapter)
starting = pytest.mark.parametrize("side", STARTING, indirect=True, ids=lambda kind: kind.adapter)


@each
async def test_it_is_let_run_and_held_and_says_so(side: Pair) -> None:
    before = await side.port.read()
    assert (before.enabled, before.epoch) == (False, 0)
    runs = await side.port.set(enabled=True, epoch=3)
    assert (runs.enabled, runs.epoch) == (True, 3)
    assert side.server.enabled
    held = await side.other.set(enabled=False, epoch=4)
    assert (held.enabled, held.epoch) == (False, 4)
    assert not side.server.enabled


@each
async def test_a_lower_epoch_changes_nothing_and_the_same_one_is_remembered(side: Pair) -> None:
    await side.port.set(enabled=False, epoch=7)
    with pytest.raises(ConflictError, match="HL-8701"):
        await side.other.set(enabled=True, epoch=6)
    assert not side.server.enabled
    assert (await side.other.set(enabled=True, epoch=7)).enabled
    assert (await side.port.read()).epoch == 7


@checked
async def test_a_second_act_writes_nothing_and_a_lost_answer_is_looked_for(side: Pair) -> None:
    side.server.loses = 1
    assert (await side.port.set(enabled=True, epoch=2)).enabled
    writes = side.server.writes
    await side.other.set(enabled=True, epoch=2)
    assert side.server.writes == writes


@checked
async def test_it_tells_its_last_run(side: Pair) -> None:
    assert (await side.port.read()).last_run == RAN


@starting
async def test_a_run_is_started_once(side: Pair) -> None:
    assert await side.port.run_once(DUE)
    assert await side.other.run_once(DUE)
    assert len(side.server.started) == 1


async def test_a_rule_of_eventbridge_starts_no_run() -> None:
    server = MotoRule()
    try:
        async with AsyncExitStack() as stack:
            assert not await (await opened(stack, server)).run_once(DUE)
    finally:
        server.close()


@each
async def test_another_id_is_told(side: Pair) -> None:
    async with AsyncExitStack() as stack:
        port = await opened(stack, side.server, id=f"{side.server.id}-none")
        with pytest.raises(NotFoundError, match="HL-9638"):
            await port.read()


@checked
async def test_refused_credentials_and_a_server_that_is_down_are_told(side: Pair) -> None:
    async with AsyncExitStack() as stack:
        port = await opened(stack, side.server)
        side.server.refuses = 403
        with pytest.raises(CredentialError):
            await port.set(enabled=True, epoch=9)
        side.server.refuses = 0
        assert not side.server.enabled


async def test_running_runs_are_counted() -> None:
    for kind in (AirflowServer, CronJobServer):
        server = kind()
        try:
            async with AsyncExitStack() as stack:
                assert (await (await opened(stack, server)).read()).running == 2
        finally:
            server.close()


async def test_an_update_of_eventbridge_keeps_all_the_rest() -> None:
    server = MotoScheduler()
    try:
        before = server.schedule
        async with AsyncExitStack() as stack:
            await (await opened(stack, server)).set(enabled=True, epoch=5)
        after = server.schedule
        kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        assert after["Description"] == "Nightly training [heavylift epoch 5]"
    finally:
        server.close()


async def test_a_rule_of_events_is_no_schedule() -> None:
    server = MotoRule()
    try:
        async with AsyncExitStack() as stack:
            port = await opened(stack, server, id="default/of-events")
            with pytest.raises(NotFoundError, match="HL-9638"):
                await port.read()
    finally:
        server.close()


async def test_a_wrong_password_and_a_wrong_connection_are_told() -> None:
    server = AirflowServer()
    try:
        async with AsyncExitStack() as stack:
            port = await opened(stack, server, replace(server.connection, password="x"))
            with pytest.raises(CredentialError) as refused:
                await port.read()
            assert "x" not in str(refused.value).replace("expected", "").replace("next", "").split()
            with pytest.raises(ConnectionConfigError, match="HL-9637"):
                await opened(stack, server, replace(server.connection, conn_type="aws"))
    finally:
        server.close()


async def test_a_server_that_is_gone_is_a_passing_trouble() -> None:
    server = CloudSchedulerServer()
    connection = server.connection
    server.close()
    async with AsyncExitStack() as stack:
        port = await opened(stack, server, connection)
        with pytest.raises(ServerUnavailableError):
            await port.read()
