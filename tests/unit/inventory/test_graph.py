"""The graph: edges, cycles, what points outside, the gate, the picture; and a large account."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from heavylift.errors import SpecError
from heavylift.evidence.inventory_records import (
    Acceptance,
    Component,
    How,
    Kind,
    Outside,
    Reference,
)
from heavylift.inventory.graph import build_graph
from heavylift.inventory.mermaid import MAX_NODES, picture
from heavylift.inventory.outside import accepted

ACCOUNT = "111122223333"


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}"


def component(id: str, native_type: str, name: str, region: str = "us-east-1") -> Component:
    service = native_type.split("::")[1].lower()
    return Component(id, "aws", service, Kind.MODEL, native_type, name, region, ACCOUNT)


def names(source: str, target: str, how: How = How.API_FIELD, relation: str = "uses") -> Reference:
    return Reference(source, "Field", target, relation, how, 1.0)


BUCKET = component("arn:aws:s3:::b", "AWS::S3::Bucket", "b")
FUNCTION = component(arn("lambda", "function:f"), "AWS::Lambda::Function", "f")
SECRET = component(arn("secretsmanager", "secret:db-AbCdEf"), "AWS::SecretsManager::Secret", "db")
ALL = (BUCKET, FUNCTION, SECRET)


@pytest.mark.parametrize(
    ("target", "id"),
    [
        ("s3://b/some/key", BUCKET.id),
        ("arn:aws:s3:::b/some/*", BUCKET.id),
        (f"{FUNCTION.id}:live", FUNCTION.id),
        (arn("secretsmanager", "secret:db"), SECRET.id),
        ("AWS::Lambda::Function|us-east-1|f", FUNCTION.id),
        ("arn:aws:s3:::b*", BUCKET.id),
    ],
)
def test_a_reference_finds_its_component(target: str, id: str) -> None:
    source = component(arn("sagemaker", "model/m"), "AWS::SageMaker::Model", "m")
    graph = build_graph([*ALL, source], [names(source.id, target)])
    assert [(edge.source, edge.target) for edge in graph.edges] == [(source.id, id)]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("s3://not-there/x", Outside.MISSING),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", Outside.PLATFORM),
        ("arn:aws:states:::lambda:invoke", Outside.PLATFORM),
        ("AWS::KMS::Key|us-east-1|alias/aws/s3", Outside.PLATFORM),
        ("arn:aws:lambda:us-east-1:999999999999:function:f", Outside.OTHER_ACCOUNT),
        (f"arn:aws:lambda:eu-west-3:{ACCOUNT}:function:f", Outside.OTHER_REGION),
        (arn("lambda", "function:gone"), Outside.MISSING),
        (arn("acm", "certificate/x"), Outside.NOT_READ),
        ("host:db.example.com", Outside.HOST),
        ("image:999999999999.dkr.ecr.us-east-1.amazonaws.com/x", Outside.OTHER_ACCOUNT),
    ],
)
def test_what_no_component_answers_is_listed_with_its_reason(target: str, why: Outside) -> None:
    graph = build_graph(ALL, [names(FUNCTION.id, target)], ("us-east-1",))
    assert [each.why for each in graph.outside] == [why]
    assert bool(graph.outside[0].explained) is (why is Outside.PLATFORM)


def test_an_acceptance_explains_what_it_meets_and_no_more() -> None:
    references = [names(FUNCTION.id, f"host:{each}.example.com") for each in ("a", "b")]
    graph = build_graph(ALL, references)
    outside, unused = accepted(
        graph.outside,
        [Acceptance(target="host:a.*", reason="stays"), Acceptance(target="host:z*", reason="-")],
    )
    assert [each.explained for each in outside] == ["stays", ""]
    assert unused == ["host:z*"]
    with pytest.raises(SpecError, match=r"HL-7630"):
        accepted(graph.outside, [Acceptance(target="*", reason="lazy")])


def test_cycles_are_named_and_lineage_joins_writer_and_reader() -> None:
    job = component(arn("sagemaker", "training-job/t"), "AWS::SageMaker::TrainingJob", "t")
    model = component(arn("sagemaker", "model/m"), "AWS::SageMaker::Model", "m")
    graph = build_graph(
        [*ALL, job, model],
        [
            names(BUCKET.id, FUNCTION.id, How.EVENT_SOURCE, "triggers"),
            names(FUNCTION.id, "s3://b/in", How.ENVIRONMENT, "reads"),
            names(job.id, "s3://b/t/model.tar.gz", relation="writes"),
            names(model.id, "s3://b/t/model.tar.gz", relation="reads"),
        ],
    )
    assert graph.cycles == (tuple(sorted((BUCKET.id, FUNCTION.id))),)
    made_by = [edge for edge in graph.edges if edge.how is How.LINEAGE]
    assert [(edge.source, edge.target, edge.explicit) for edge in made_by] == [(model.id, job.id, False)]


def test_the_surest_way_of_finding_an_edge_is_told() -> None:
    both = [names(FUNCTION.id, "s3://b/x", How.ENVIRONMENT), names(FUNCTION.id, BUCKET.id)]
    for order in (both, both[::-1]):
        (edge,) = build_graph(ALL, order).edges
        assert edge.explicit


def test_a_picture_is_bounded_and_its_labels_cannot_break_out() -> None:
    evil = component("arn:aws:s3:::evil", "AWS::S3::Bucket", '"]; click n0 "javascript:x" %%{init}%%')
    text = picture([evil, BUCKET], build_graph([evil, BUCKET], [names(evil.id, BUCKET.id)]).edges)
    assert '"]; click' not in text
    assert "%%{" not in text
    many = [component(arn("lambda", f"function:f{n}"), "AWS::Lambda::Function", f"f{n}") for n in range(900)]
    edges = build_graph([BUCKET, *many], [names(each.id, BUCKET.id) for each in many]).edges
    assert picture([BUCKET, *many], edges).count("\n") < 10
    near = picture([BUCKET, *many], edges, around=BUCKET.id)
    assert near.count("[") == MAX_NODES


@pytest.mark.long
def test_a_hundred_thousand_components_take_seconds_and_little_memory() -> None:
    components, references = [], []
    for number in range(0, 100_000, 2):
        bucket = component(f"arn:aws:s3:::b{number}", "AWS::S3::Bucket", f"b{number}")
        model = component(arn("sagemaker", f"model/m{number}"), "AWS::SageMaker::Model", f"m{number}")
        components += [bucket, model]
        references += [
            names(model.id, f"s3://b{number}/m.tar.gz", relation="reads"),
            names(model.id, f"arn:aws:s3:::b{number}/*", How.POLICY, "grants"),
        ]
    began = time.process_time()
    graph = build_graph(components, references, ("us-east-1",))
    assert len(graph.edges) == 100_000
    assert not graph.outside
    assert time.process_time() - began < 30
    tracemalloc.start()
    build_graph(components[:20_000], references[:20_000], ("us-east-1",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / 20_000 < 8_000, "bytes for each component"
