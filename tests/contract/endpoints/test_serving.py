"""What every product keeps to: made once, resumed, refused, removed, by requests of the published form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from heavylift.endpoints.api import apply_endpoints, plan_endpoints, verify_endpoints
from heavylift.errors import ConflictError
from tests.support.serving import Server, brought_up, deployment, endpoint, request, taken_down
from tests.support.serving_azure import ServingAzure
from tests.support.serving_vertex import PARENT, ServingVertex
from tests.support.traffic_moto import MotoSide

_SERVERS = {"vertex": ServingVertex, "azure_ml": ServingAzure, "sagemaker": MotoSide}
Subject = tuple[str, Server]


@pytest.fixture(params=sorted(_SERVERS))
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    server = _SERVERS[request.param]()
    yield request.param, server
    server.close()
    assert not getattr(server, "rejected", [])


def count(server: Any) -> int:
    return len(server.writes) if not isinstance(server, MotoSide) else 0


async def test_an_endpoint_is_made_once_and_a_second_run_changes_nothing(subject: Subject) -> None:
    product, server = subject
    asked = request(server, endpoint(product))
    plan = await plan_endpoints(asked)
    assert {row.before for row in plan.rows} == {"absent"}
    assert plan.passed
    record = await brought_up(asked)
    assert record.passed
    assert {row.after for row in record.rows} == {"ready"}
    before = count(server)
    again = await brought_up(asked)
    assert again.passed
    assert not any(row.begun for row in again.rows)
    assert count(server) == before
    assert (await verify_endpoints(asked)).passed


async def test_all_that_was_made_is_removed_and_nothing_else(subject: Subject) -> None:
    product, server = subject
    asked = request(server, endpoint(product))
    await brought_up(asked)
    record = await taken_down(asked)
    assert record.passed
    assert {row.after for row in record.rows} == {"absent"}
    assert {row.after for row in (await plan_endpoints(asked)).rows} == {"absent"}
    assert (await taken_down(asked)).counts["begun"] == 0


async def test_only_what_was_approved_is_made(subject: Subject) -> None:
    product, server = subject
    plan = await plan_endpoints(request(server, endpoint(product)))
    other = endpoint(product, deployment(product, "blue", 100))
    with pytest.raises(ConflictError, match="HL-9297"):
        await apply_endpoints(request(server, other), plan.digest)
    assert count(server) == 0
    assert {row.before for row in (await plan_endpoints(request(server, other))).rows} == {"absent"}


async def test_another_ones_endpoint_is_neither_changed_nor_removed(subject: Subject) -> None:
    product, server = subject
    foreign = _foreign(product, server)
    asked = request(server, endpoint(product))
    plan = await plan_endpoints(asked)
    assert not plan.passed
    assert any("is not this migration's" in each for each in plan.problems)
    before = count(server)
    with pytest.raises(ConflictError, match="HL-9289"):
        await apply_endpoints(asked, plan.digest)
    record = await taken_down(asked)
    assert count(server) == before
    assert {row.after for row in record.rows if row.kind == "endpoint"} == {"kept"}
    assert _foreign_now(product, server) == foreign


async def test_what_takes_long_is_waited_for_and_never_begun_twice(subject: Subject) -> None:
    product, server = subject
    if not isinstance(server, MotoSide):
        server.polls = 4
    asked = request(server, endpoint(product))
    record = await brought_up(asked)
    assert record.passed
    assert (await taken_down(asked)).passed
    if not isinstance(server, MotoSide):
        made = [each for each in server.writes if "delete" not in each.lower() and "undeploy" not in each]
        assert len(made) <= 2 * len(record.rows)


async def test_lost_answers_make_nothing_twice(subject: Subject) -> None:
    product, server = subject
    if isinstance(server, MotoSide):
        return
    server.loses = 2
    asked = request(server, endpoint(product))
    assert (await brought_up(asked)).passed
    assert server.loses == 0


def _foreign(product: str, server: Any) -> Any:
    if product == "vertex":
        server.endpoints[f"{PARENT}/endpoints/score"] = {
            "name": f"{PARENT}/endpoints/score",
            "displayName": "x",
        }
    elif product == "azure_ml":
        server.put(
            "onlineEndpoints/score", {"name": "score", "tags": {"team": "x"}, "properties": {"traffic": {}}}
        )
    else:
        client = server.client("sagemaker")
        client.create_model(
            ModelName="m", PrimaryContainer={"Image": "x"}, ExecutionRoleArn="arn:aws:iam::1:role/x"
        )
        variant = {
            "VariantName": "v",
            "ModelName": "m",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        client.create_endpoint(EndpointName="score", EndpointConfigName="c")
    return _foreign_now(product, server)


def _foreign_now(product: str, server: Any) -> Any:
    if product == "vertex":
        return dict(server.endpoints[f"{PARENT}/endpoints/score"])
    if product == "azure_ml":
        return dict(server.things["onlineEndpoints/score"])
    return server.client("sagemaker").describe_endpoint(EndpointName="score")["EndpointConfigName"]
