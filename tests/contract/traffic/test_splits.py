"""What every adapter of live traffic keeps to, against real or schema-checked servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from heavylift.connections import Connection
from heavylift.cutover.ports import CountsReplicas, Split
from heavylift.cutover.ports import Side as Which
from heavylift.cutover.room import replicas_item
from heavylift.cutover.traffic.opening import open_traffic
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.errors import (
    ConflictError,
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    NotFoundError,
    ServerUnavailableError,
    UnsupportedError,
)
from heavylift.spec.sections_platform import TrafficAdapter
from heavylift.spec.vocabulary import Platform
from tests.support.traffic_azure import AzureMlEndpointServer, TrafficManagerServer
from tests.support.traffic_moto import Route53Server, SageMakerServer
from tests.support.traffic_servers import CloudDnsServer, GatewayServer, VertexEndpointServer


@dataclass(frozen=True)
class Kind:
    """One adapter and what plays its other side."""

    adapter: TrafficAdapter
    server: Callable[[], Any]


KINDS = {
    "route53": Kind(TrafficAdapter.DNS, Route53Server),
    "cloud_dns": Kind(TrafficAdapter.DNS, CloudDnsServer),
    "traffic_manager": Kind(TrafficAdapter.DNS, TrafficManagerServer),
    "gateway_api": Kind(TrafficAdapter.GATEWAY_API, GatewayServer),
    "sagemaker": Kind(TrafficAdapter.ENDPOINT, SageMakerServer),
    "vertex": Kind(TrafficAdapter.ENDPOINT, VertexEndpointServer),
    "azure_ml": Kind(TrafficAdapter.ENDPOINT, AzureMlEndpointServer),
}
SWAPPING = ("route53", "cloud_dns", "gateway_api", "vertex")
CHECKED = ("cloud_dns", "traffic_manager", "gateway_api", "vertex", "azure_ml")
WAITING = ("cloud_dns", "gateway_api", "azure_ml")


@dataclass
class Side:
    """A running server and two ports that know nothing of each other."""

    kind: Kind
    server: Any
    port: SwappedTraffic
    other: SwappedTraffic

    def shares(self, split: Split) -> tuple[int, int, int]:
        return split.target_percent, split.mirror_percent, split.epoch


@pytest_asyncio.fixture
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    kind = KINDS[request.param]
    server = kind.server()
    try:
        async with (
            open_traffic(kind.adapter, server.connection) as port,
            open_traffic(kind.adapter, server.connection) as other,
        ):
            assert isinstance(port, SwappedTraffic)
            assert isinstance(other, SwappedTraffic)
            yield Side(kind, server, port, other)
        assert getattr(server, "rejected", []) == []
    finally:
        server.close()


def each(*names: str) -> Any:
    return pytest.mark.parametrize("side", names or tuple(KINDS), indirect=True)


@each()
async def test_it_moves_there_and_back_and_tells_what_is_so(side: Side) -> None:
    assert side.shares(await side.port.read()) == (0, 0, 0)
    for percent in (1, 50, 99, 100, 0):
        assert side.shares(await side.port.shift(percent, epoch=3)) == (percent, 0, 3)
        assert side.shares(await side.other.read()) == (percent, 0, 3)
    assert side.shares(await side.port.shift(0, epoch=4)) == (0, 0, 4)


@each()
async def test_a_lower_epoch_changes_nothing(side: Side) -> None:
    await side.port.shift(25, epoch=7)
    with pytest.raises(ConflictError) as refused:
        await side.other.shift(100, epoch=6)
    assert refused.value.code == "8701"
    assert side.shares(await side.other.read()) == (25, 0, 7)


@each(*CHECKED)
async def test_the_same_shift_again_writes_nothing(side: Side) -> None:
    await side.port.shift(25, epoch=7)
    writes = side.server.writes
    assert side.shares(await side.port.shift(25, epoch=7)) == (25, 0, 7)
    assert side.server.writes == writes == 1


@each(*SWAPPING)
async def test_a_change_between_look_and_write_is_not_overwritten(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(side.server, Route53Server):
        monkeypatch.setattr(side.port, "_writes", side.server.strict(side.port._writes))  # type: ignore[attr-defined]
    real = side.port.change
    waited: list[int] = []

    async def change(seen: Looked, wanted: Split) -> None:
        if not waited:
            waited.append(1)
            await side.other.shift(90, epoch=9)
        await real(seen, wanted)

    monkeypatch.setattr(side.port, "change", change)
    with pytest.raises(ConflictError) as refused:
        await side.port.shift(10, epoch=8)
    assert refused.value.code == "8701"
    assert side.shares(await side.other.read()) == (90, 0, 9)


@each(*CHECKED)
async def test_a_lost_answer_is_found_out(side: Side) -> None:
    side.server.loses = 1
    assert side.shares(await side.port.shift(50, epoch=2)) == (50, 0, 2)


@each(*WAITING)
async def test_it_waits_until_the_split_is_in_force(side: Side) -> None:
    side.server.polls = 3
    assert side.shares(await side.port.shift(50, epoch=2)) == (50, 0, 2)
    assert side.server.left < 0


@each(*WAITING)
async def test_what_does_not_come_into_force_in_time_is_told(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    side.server.polls = 10_000
    monkeypatch.setattr(side.port, "_confirm_seconds", 0.2)
    with pytest.raises(ServerUnavailableError) as told:
        await side.port.shift(50, epoch=2)
    assert told.value.code == "8726"
    side.server.polls = side.server.left = 2
    assert side.shares(await side.other.shift(50, epoch=2)) == (50, 0, 2)


@each("route53", "cloud_dns", "traffic_manager", "sagemaker", "vertex")
async def test_what_can_t_mirror_says_so(side: Side) -> None:
    with pytest.raises(UnsupportedError) as refused:
        await side.port.shift(0, mirror_percent=10, epoch=1)
    assert refused.value.code == "8722"
    assert side.shares(await side.port.read()) == (0, 0, 0)


@each("gateway_api", "azure_ml")
async def test_mirroring_stands_alone(side: Side) -> None:
    assert side.shares(await side.port.shift(0, mirror_percent=20, epoch=1)) == (0, 20, 1)
    with pytest.raises(UnsupportedError) as refused:
        await side.port.shift(10, mirror_percent=20, epoch=1)
    assert refused.value.code == "8737"
    assert side.shares(await side.port.shift(10, epoch=1)) == (10, 0, 1)


async def test_azure_ml_mirrors_half_at_most() -> None:
    server = AzureMlEndpointServer()
    try:
        async with open_traffic(TrafficAdapter.ENDPOINT, server.connection) as port:
            with pytest.raises(UnsupportedError) as refused:
                await port.shift(0, mirror_percent=51, epoch=1)
    finally:
        server.close()
    assert refused.value.code == "8737"


@each(*(name for name in KINDS if name != "azure_ml"))
async def test_sides_that_are_not_there_are_named(side: Side) -> None:
    fields = [name for name in side.server.connection.extra if name.startswith("target_")]
    extra = {**side.server.connection.extra, fields[0]: "elsewhere"}
    wrong = replace(side.server.connection, extra=extra)
    async with open_traffic(side.kind.adapter, wrong) as port:
        with pytest.raises(NotFoundError, match="elsewhere") as told:
            await port.shift(50, epoch=1)
    assert told.value.code == "8725"
    assert side.shares(await side.port.read()) == (0, 0, 0)


@each("azure_ml")
async def test_a_deployment_that_azure_does_not_know_is_named(side: Side) -> None:
    wrong = replace(
        side.server.connection, extra={**side.server.connection.extra, "target_deployment": "elsewhere"}
    )
    async with open_traffic(side.kind.adapter, wrong) as port:
        with pytest.raises(HeavyliftError, match="elsewhere"):
            await port.shift(50, epoch=1)
    assert side.shares(await side.port.read()) == (0, 0, 0)


@each()
async def test_a_connection_that_says_too_little_is_refused(side: Side) -> None:
    fields = [name for name in side.server.connection.extra if name.startswith("target_")]
    extra = {key: value for key, value in side.server.connection.extra.items() if key not in fields}
    with pytest.raises(ConnectionConfigError, match=fields[0]):
        async with open_traffic(side.kind.adapter, replace(side.server.connection, extra=extra)):
            pass


@each(*CHECKED)
@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_told_at_once(side: Side, status: int) -> None:
    side.server.refuses = status
    for act in (side.port.read(), side.port.shift(50, epoch=1)):
        with pytest.raises(CredentialError, match=str(status)):
            await act
    side.server.refuses = 0
    assert side.shares(await side.port.read()) == (0, 0, 0)


async def test_what_else_stands_there_stays() -> None:
    gateway, azure, manager = GatewayServer(), AzureMlEndpointServer(), TrafficManagerServer()
    try:
        async with open_traffic(TrafficAdapter.GATEWAY_API, gateway.connection) as port:
            await port.shift(0, mirror_percent=20, epoch=1)
            await port.shift(30, epoch=1)
        async with open_traffic(TrafficAdapter.ENDPOINT, azure.connection) as port:
            await port.shift(30, epoch=1)
        async with open_traffic(TrafficAdapter.DNS, manager.connection) as port:
            split = await port.shift(0, epoch=1)
    finally:
        for server in (gateway, azure, manager):
            server.close()
    first, second = gateway.route["spec"]["rules"]
    assert [rule["type"] for rule in first["filters"]] == ["RequestHeaderModifier"]
    assert second == {"backendRefs": [{"name": "pages", "port": 80}]}
    assert azure.endpoint["tags"]["team"] == manager.profile["tags"]["team"] == "fraud"
    # Weights begin at 1 there: without traffic a side is switched off.
    assert [each["properties"]["endpointStatus"] for each in manager.profile["properties"]["endpoints"]] == [
        "Enabled",
        "Disabled",
    ]
    assert split.detail["ttl_seconds"] == "30"
    assert split.detail["everywhere_at"] > "2026"


async def test_route_53_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Route53Server()
    try:
        async with open_traffic(TrafficAdapter.DNS, server.connection) as port:
            real, states = port._reads.call, ["PENDING", "PENDING"]  # type: ignore[attr-defined]

            def call(service: str, operation: str, region: str, arguments: Any) -> Any:
                if operation == "GetChange" and states:
                    return {"ChangeInfo": {"Status": states.pop()}}
                return real(service, operation, region, arguments)

            monkeypatch.setattr(port._reads, "call", call)  # type: ignore[attr-defined]
            split = await port.shift(40, epoch=1)
            assert states == []
            assert split.detail["ttl_seconds"] == "30"
        # Somebody who did not see that it came into force writes it again, and so gets to know.
        async with open_traffic(TrafficAdapter.DNS, server.connection) as port:
            assert (await port.shift(40, epoch=1)).target_percent == 40
            assert port._change_id  # type: ignore[attr-defined]
    finally:
        server.close()


@pytest.mark.parametrize("other", [Platform.GCP, Platform.KUBERNETES])
async def test_an_endpoint_reaches_no_other_cloud(other: Platform) -> None:
    extra = {"endpoint": "e", "source_variant": "a", "target_variant": "b", "region_name": "us-east-1"}
    connection = Connection("sm", "aws", login="x", password="y", extra=extra)
    with pytest.raises(UnsupportedError) as refused:
        async with open_traffic(TrafficAdapter.ENDPOINT, connection, source=Platform.AWS, target=other):
            pass
    assert refused.value.code == "8739"
    assert "envoy" in refused.value.remedy


@pytest.mark.parametrize("adapter", [TrafficAdapter.DNS, TrafficAdapter.ENDPOINT, TrafficAdapter.ENVOY])
async def test_a_connection_of_another_kind_is_refused(adapter: TrafficAdapter) -> None:
    with pytest.raises(ConnectionConfigError) as refused:
        async with open_traffic(adapter, Connection("x", "postgres")):
            pass
    assert refused.value.code == "8724"


@pytest.mark.parametrize(("percent", "mirror", "epoch"), [(-1, 0, 1), (101, 0, 1), (0, 101, 1), (0, 0, 0)])
async def test_numbers_that_no_split_has_are_refused(percent: int, mirror: int, epoch: int) -> None:
    server = VertexEndpointServer()
    try:
        async with open_traffic(TrafficAdapter.ENDPOINT, server.connection) as port:
            with pytest.raises(HeavyliftError) as refused:
                await port.shift(percent, mirror_percent=mirror, epoch=epoch)
    finally:
        server.close()
    assert refused.value.code == "8721"
    assert server.writes == 0


COUNTING = ("gateway_api", "sagemaker", "vertex", "azure_ml")


@pytest.mark.parametrize("side", COUNTING, indirect=True)
async def test_what_stands_behind_each_side_is_told(side: Side) -> None:
    port = side.port
    assert isinstance(port, CountsReplicas)
    target, source = await port.replicas(Which.TARGET), await port.replicas(Which.SOURCE)
    assert target is not None
    assert source is not None
    assert (source.ready, target.ready, target.wanted) == (3, 2, 2)
    item = await replicas_item(port)
    assert item is not None
    assert item.passed


@pytest.mark.parametrize("side", ["gateway_api", "vertex", "azure_ml"], indirect=True)
async def test_a_target_that_is_still_started_is_not_ready(side: Side) -> None:
    if side.server.__class__ is GatewayServer:
        side.server.ready["target"][0] = False
    elif side.server.__class__ is VertexEndpointServer:
        side.server.endpoint["deployedModels"][1]["status"]["availableReplicaCount"] = 1
    else:
        side.server.deployments["green"]["properties"]["provisioningState"] = "Updating"
    item = await replicas_item(side.port)
    assert item is not None
    assert not item.passed
    assert "of 2" in item.detail
    side.server.refuses = 403
    item = await replicas_item(side.port)
    assert item is not None
    assert not item.passed


@pytest.mark.parametrize("side", ["cloud_dns"], indirect=True)
async def test_names_have_nothing_to_count(side: Side) -> None:
    assert await replicas_item(side.port) is None
    assert not isinstance(side.port, CountsReplicas)
