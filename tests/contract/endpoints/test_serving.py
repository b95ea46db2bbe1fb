"""What every product keeps to: made once, resumed, refused, removed, by requests of the published form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from heavylift.endpoints.api import apply_endpoints, plan_endpoints, verify_endpoints
from heavylift.errors import ConflictError, IncompleteError, NotFoundError
from tests.support.serving import Server, brought_up, deployment, endpoint, request, taken_down
from tests.support.serving_azure import ServingAzure
from tests.support.serving_vertex import PARENT, ServingVertex
from tests.support.traffic_moto import MotoSide

_SERVERS = {"vertex": ServingVertex, "azure_ml": ServingAzure, "sagemaker": MotoSide}
Subject = tuple[str, Server]


@pytest.fixture(params=["vertex", "azure_ml", pytest.param("sagemaker", marks=pytest.mark.long)])
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


async def test_sagemaker_makes_moves_and_removes_what_moto_plays() -> None:
    server = MotoSide()
    try:
        asked = request(server, endpoint("sagemaker"))
        assert (await brought_up(asked)).passed
        assert not any(row.begun for row in (await brought_up(asked)).rows)
        record = await taken_down(asked)
        assert {row.after for row in record.rows} == {"absent"}
        client = server.client("sagemaker")
        assert not client.list_endpoints()["Endpoints"]
        assert not client.list_endpoint_configs()["EndpointConfigs"]
        assert not client.list_models()["Models"]
    finally:
        server.close()


async def test_a_spent_quota_of_azure_is_named_and_what_was_made_is_found_again() -> None:
    server = ServingAzure()
    server.quota = {"Standard_NC24ads_A100_v4"}
    asked = request(server, endpoint("azure_ml"))
    try:
        with pytest.raises(IncompleteError, match="Not enough quota") as told:
            await brought_up(asked)
        assert told.value.code == "9290"
        assert "environment score-blue" in told.value.state
        server.quota = set()
        assert (await brought_up(asked)).passed
        assert server.requests.count("environment_versions_create_or_update") == 2
    finally:
        server.close()


@pytest.mark.parametrize("sync", [True, False])
async def test_a_spent_quota_of_vertex_is_named_however_it_is_told(sync: bool) -> None:
    server = ServingVertex()
    server.quota, server.sync, server.polls = {"g2-standard-8"}, sync, 2
    asked = request(server, endpoint("vertex"))
    try:
        with pytest.raises(IncompleteError, match="CustomModelServingL4GPUs") as told:
            await brought_up(asked)
        assert told.value.code == "9290"
    finally:
        server.close()


async def test_a_deployment_that_fails_is_told_and_made_again_by_the_next_run() -> None:
    server = ServingAzure()
    server.fails, server.polls = {"Standard_NC24ads_A100_v4"}, 2
    asked = request(server, endpoint("azure_ml"))
    try:
        with pytest.raises(IncompleteError, match="HL-9291"):
            await brought_up(asked)
        server.fails = set()
        assert (await brought_up(asked)).passed
    finally:
        server.close()


async def test_what_somebody_has_changed_is_told_and_only_the_split_is_set_back() -> None:
    server = ServingVertex()
    asked = request(server, endpoint("vertex"))
    try:
        await brought_up(asked)
        [there] = server.endpoints.values()
        there["trafficSplit"] = {there["deployedModels"][0]["id"]: 100}
        told = await verify_endpoints(asked)
        assert not told.passed
        assert "traffic score: stale (trafficSplit)" in told.problems
        assert (await brought_up(asked)).passed
        there["deployedModels"][0]["dedicatedResources"]["minReplicaCount"] = 7
        told = await verify_endpoints(asked)
        assert any("minReplicaCount" in each for each in told.problems)
        with pytest.raises(ConflictError, match="HL-9289"):
            await brought_up(asked)
        assert there["deployedModels"][0]["dedicatedResources"]["minReplicaCount"] == 7
    finally:
        server.close()


async def test_a_split_that_a_cutover_has_moved_is_left_to_it() -> None:
    server = ServingVertex()
    asked = request(server, endpoint("vertex"))
    try:
        await brought_up(asked)
        [there] = server.endpoints.values()
        there["labels"]["heavylift-epoch"] = "3"
        there["trafficSplit"] = {there["deployedModels"][1]["id"]: 100}
        assert (await verify_endpoints(asked)).passed
        assert not any(row.begun for row in (await brought_up(asked)).rows)
    finally:
        server.close()


async def test_a_shell_that_terraform_made_gets_deployments_and_stays() -> None:
    server = ServingVertex()
    name = f"{PARENT}/endpoints/score"
    server.endpoints[name] = {"name": name, "displayName": "x", "labels": {"migration": "fraud"}, "etag": "e"}
    asked = request(server, endpoint("vertex", target={"existing": True}))
    try:
        assert (await brought_up(asked)).passed
        assert len(server.endpoints[name]["deployedModels"]) == 2
        record = await taken_down(asked)
        assert record.passed
        assert server.endpoints[name]["deployedModels"] == []
        assert server.models == {}
    finally:
        server.close()


async def test_a_registered_version_is_deployed_as_it_is_and_never_removed() -> None:
    server = ServingVertex()
    server.registered("fraud", "2")
    asked_for = deployment("vertex", "blue", 100, model={"registered": "fraud", "version": "2"}, variables=[])
    del asked_for["image"]
    asked = request(server, endpoint("vertex", asked_for))
    try:
        assert (await brought_up(asked)).passed
        [there] = server.endpoints.values()
        assert there["deployedModels"][0]["modelVersionId"] == "2"
        assert (await taken_down(asked)).passed
        assert list(server.models) == [f"{PARENT}/models/fraud"]
        asked_for["model"] = {"registered": "fraud", "version": "9"}
        with pytest.raises(NotFoundError, match="HL-9284"):
            await plan_endpoints(request(server, endpoint("vertex", asked_for)))
    finally:
        server.close()


async def test_a_deployment_that_the_spec_no_longer_names_is_removed_with_the_rest() -> None:
    server = ServingVertex()
    try:
        await brought_up(request(server, endpoint("vertex")))
        asked = request(server, endpoint("vertex", deployment("vertex", "blue", 100)))
        record = await taken_down(asked)
        assert record.passed
        assert (server.endpoints, server.models) == ({}, {})
    finally:
        server.close()
