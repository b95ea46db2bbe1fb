"""From an inventory to a plan's components: told by a table, and nothing guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavylift.assess.translate.join import translate
from heavylift.assess.translate.known import Known
from heavylift.assess.translate.table import ROWS, row_of
from heavylift.evidence.assess_input import Component
from heavylift.evidence.inventory_records import Component as Listed
from heavylift.evidence.inventory_records import Edge, How, Kind, Outside, OutsideReference, Reference
from heavylift.inventory.aws.catalog import ROWS as READ
from heavylift.spec.sections_assess import AssessComponent
from tests.unit.assess.inputs import BASIS

GIB = 2**30


def listed(native_type: str, id: str = "one", kind: Kind = Kind.DATASET, **changes: Any) -> Listed:
    attributes = changes.pop("attributes", {})
    tags = changes.pop("tags", {})
    given = {"platform": "aws", "service": "s", "name": id.rpartition("/")[2], "status": ""}
    return Listed(
        id=id, kind=kind, native_type=native_type, tags_json=json.dumps(tags),
        attributes_json=json.dumps(attributes), **(given | changes),
    )  # fmt: skip


def translated(*parts: Listed, edges: Any = (), outside: Any = (), known: Any = ()) -> list[Component]:
    entries = Known([AssessComponent(**each) for each in known])
    return list(translate(parts, edges, outside, entries, BASIS, ("owner", "team")).components)


def test_every_type_that_is_read_has_a_row_whose_service_the_map_knows() -> None:
    for row in READ:
        meant = ROWS[row.native_type]
        assert BASIS.services.capability_of(meant.service), row.native_type


def test_a_type_without_a_row_means_what_its_kind_means() -> None:
    [part] = translated(listed("Other::Store", kind=Kind.DATABASE))
    assert (part.service, part.kind, part.unknown) == ("", "database", ("size_bytes", "change_bytes_per_day"))
    assert BASIS.capability(part) == "relational"
    [part] = translated(listed("Other::Thing", kind=Kind.ROLE))
    assert part.unknown == ()
    assert all(BASIS.capability(Component(id="x", kind=kind.value)) for kind in Kind)
    assert row_of("Other::Thing", Kind.ROLE).data is False


@pytest.mark.parametrize(
    ("native_type", "given", "size", "unknown"),
    [
        ("AWS::S3::Bucket", {"size_bytes": 5, "objects": 2}, 5, ("change_bytes_per_day",)),
        ("AWS::S3::Bucket", {}, 0, ("size_bytes", "change_bytes_per_day")),
        ("AWS::S3::Bucket", {"size_bytes": 0}, 0, ()),
        ("AWS::RDS::DBInstance", {"size_bytes": 7 * GIB}, 7 * GIB, ("change_bytes_per_day",)),
        (
            "AWS::RDS::DBInstance",
            {"size_bytes": GIB, "attributes": {"DBClusterIdentifier": "c"}}, 0, (),
        ),
        (
            "AWS::RDS::DBCluster", {"attributes": {"Engine": "aurora-mysql", "AllocatedStorage": 1}}, 0,
            ("size_bytes", "change_bytes_per_day"),
        ),
        (
            "AWS::RDS::DBCluster", {"attributes": {"Engine": "mysql", "AllocatedStorage": 9}}, 9 * GIB,
            ("change_bytes_per_day",),
        ),
        ("AWS::Glue::Table", {"size_bytes": 5}, 0, ()),
        ("AWS::SageMaker::FeatureGroup", {"size_bytes": 5}, 0, ()),
        ("AWS::Kinesis::Stream", {"attributes": {"RetentionPeriodHours": 24}}, 0, ()),
        (
            "AWS::Kinesis::Stream", {"attributes": {"RetentionPeriodHours": 168}}, 0,
            ("size_bytes", "change_bytes_per_day"),
        ),
    ],
)  # fmt: skip
def test_data_is_counted_once_and_what_nobody_tells_is_unknown(
    native_type: str, given: dict[str, Any], size: int, unknown: tuple[str, ...]
) -> None:
    [part] = translated(listed(native_type, **given))
    assert (part.size_bytes, part.unknown) == (size, unknown)


def test_what_people_know_comes_before_what_the_platform_tells() -> None:
    parts = (listed("AWS::S3::Bucket", "arn:aws:s3:::a", size_bytes=1), listed("AWS::S3::Bucket", "b"))
    entries = [
        {"match": "*", "change_per_day": "1kB", "downtime": "2h"},
        {"match": "b", "size": "3kB", "owner": "me"},
        {"match": "arn:aws:s3:::a", "change_per_day": 0},
        {"match": "c", "size": 1},
    ]
    known = Known([AssessComponent(**each) for each in entries])
    found = translate(parts, (), (), known, BASIS)
    a, b = found.components
    assert (a.size_bytes, a.change_bytes_per_day, a.downtime_seconds, a.unknown) == (1, 0, 7200, ())
    assert (b.size_bytes, b.change_bytes_per_day, b.owner, b.unknown) == (3000, 1000, "me", ())
    assert found.unmet == ("c",)


def test_an_endpoint_needs_the_accelerators_of_its_configuration_once() -> None:
    variants = [
        {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1},
        {"InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 3},
    ]
    meant = {"ProductionVariants": variants}
    config = listed("AWS::SageMaker::EndpointConfig", "config", Kind.ENDPOINT, attributes=meant)
    running = {"ProductionVariants": [{"CurrentInstanceCount": 1}, {"CurrentInstanceCount": 3}]}
    endpoint = listed("AWS::SageMaker::Endpoint", "endpoint", Kind.ENDPOINT, attributes=running)
    edge = Edge("endpoint", "config", "uses", How.API_NAME, 1.0)
    one, other = translated(config, endpoint, edges=[edge])
    assert one.accelerator is None
    assert other.accelerator is not None
    assert (other.accelerator.instance_type, other.accelerator.machines) == ("ml.g5.xlarge", 4)
    assert other.replicas == 4


def test_of_jobs_that_have_ended_the_latest_stands_for_the_next() -> None:
    def job(id: str, day: int, status: str, instance: str = "ml.p4d.24xlarge") -> Listed:
        resources = {"ResourceConfig": {"InstanceType": instance, "InstanceCount": 2}}
        return listed(
            "AWS::SageMaker::TrainingJob", id, Kind.JOB, status=status, attributes=resources,
            created_at=f"2026-11-{day:02}T00:00:00+00:00",
        )  # fmt: skip

    parts = translated(
        job("old", 1, "Completed"), job("new", 3, "Failed"), job("now", 2, "InProgress"),
        job("cpu", 4, "Completed", "ml.m5.large"), job("unheard", 4, "InProgress", "ml.p99.xlarge"),
    )  # fmt: skip
    with_accelerators = {part.id for part in parts if part.accelerator}
    assert with_accelerators == {"new", "now", "unheard"}
    assert all(part.accelerator.machines == 2 for part in parts if part.accelerator)


def test_addresses_in_settings_are_links_and_tags_name_owners() -> None:
    image = {"PrimaryContainer": {"Image": "763.dkr.ecr/pytorch-inference-neuron:1"}}
    parts = (
        listed("AWS::SageMaker::Model", "model", Kind.MODEL, attributes=image, tags={"Team": "fraud"}),
        listed("AWS::S3::Bucket", "arn:aws:s3:::a", size_bytes=1, owner="them", tags={"team": "x"}),
    )
    edges = [
        Edge("model", "arn:aws:s3:::a", "reads", How.ENVIRONMENT, 0.85),
        Edge("model", "gone", "reads", How.API_FIELD, 1.0),
    ]
    reference = Reference("model", "Environment.URL", "host:db.corp", "names", How.ENVIRONMENT, 0.85)
    outside = [OutsideReference(reference, Outside.HOST)]
    entries = Known([])
    found = translate(parts, edges, outside, entries, BASIS, ("owner", "team"))
    model, bucket = found.components
    assert model.links == ("arn:aws:s3:::a", "host:db.corp")
    assert (model.owner, bucket.owner, model.formats) == ("fraud", "them", ("neuron",))
    assert [(each.component, each.needs) for each in found.dependencies] == [("model", "arn:aws:s3:::a")]
