"""Classes flow from what holds them to what is derived of it: directions, circles, overrides, doubts."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli.compliance_text import check_text
from heavylift.compliance.check import check_compliance, judge
from heavylift.compliance.flow import Flow, inherited
from heavylift.compliance.lineage import BOTH, FROM_TARGET, NO_DATA, TO_TARGET, Lineage, lineage_of
from heavylift.connections import Connection
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.compliance_records import ComplianceRecord
from heavylift.evidence.inventory_files import write_outside, write_rows
from heavylift.evidence.inventory_records import (
    Component,
    Edge,
    GraphRecord,
    How,
    InventoryRecord,
    Kind,
    Reference,
    graph_path,
    inventory_folder,
    inventory_path,
)
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.gates.compliance_checks import judge_compliance
from heavylift.spec.carried import judged_digest
from heavylift.spec.model import MigrationSpec

TODAY = date(2026, 11, 29)
CONNECTIONS = {name: Connection(name, "aws") for name in ("src", "dst", "evidence")}


def component(id: str, kind: Kind, name: str, native_type: str = "", region: str = "") -> Component:
    return Component(id, "aws", "sagemaker", kind, native_type or kind.value, name, region)


BUCKET = component("arn:aws:s3:::clinic", Kind.DATASET, "clinic", "AWS::S3::Bucket")
JOB = component("arn:job", Kind.TRAINING_PIPELINE, "train")
OTHER = component("arn:other", Kind.JOB, "other-job")
MODEL = component("arn:model", Kind.MODEL, "risk-model")
CONFIG = component("arn:config", Kind.ENDPOINT, "risk-config")
ENDPOINT = component("arn:endpoint", Kind.ENDPOINT, "risk-endpoint")
GROUP = component("arn:group", Kind.FEATURE_STORE, "visits")
ROLE = component("arn:role", Kind.ROLE, "runner")
STRANGER = component("arn:stranger", Kind.MODEL, "weather-model")
COMPONENTS = [BUCKET, JOB, OTHER, MODEL, CONFIG, ENDPOINT, GROUP, ROLE, STRANGER]


def edge(source: Component, target: Component, relation: str, confidence: float = 1.0) -> Edge:
    return Edge(source.id, target.id, relation, How.API_FIELD, confidence)


def reference(of: Component, target: str, relation: str, confidence: float = 0.85) -> Reference:
    return Reference(of.id, "x", target, relation, How.ENVIRONMENT, confidence)


EDGES = [
    edge(JOB, BUCKET, "reads"),
    edge(JOB, ROLE, "runs_as"),
    edge(STRANGER, ROLE, "runs_as"),
    edge(MODEL, JOB, "made_by", 0.9),
    edge(CONFIG, MODEL, "serves"),
    edge(ENDPOINT, CONFIG, "belongs_to"),
    edge(GROUP, BUCKET, "reads"),
]
REFERENCES = [
    reference(JOB, "s3://clinic/patients/", "reads"),
    reference(OTHER, "s3://clinic/weather/", "reads"),
    reference(GROUP, "s3://clinic/patients", "reads", 0.5),
]
HEALTH = [{"subject": "patients", "classes": ["health"], "reason": "the ward's system"}]


def spec_of(target_region: str = "europe-west1", **compliance: Any) -> MigrationSpec:
    return MigrationSpec.model_validate(
        {
            "apiVersion": "heavylift/v1", "migration": "m", "owner": "team",
            "evidence": {"connection": "evidence", "url": "s3://proofs/"},
            "source": {"platform": "aws", "connection": "src", "region": "eu-central-1"},
            "target": {"platform": "gcp", "connection": "dst", "region": target_region},
            "datasets": [
                {"name": "patients", "source": "s3://clinic/patients/", "target": "gs://clinic/patients/"},
                {"name": "weather", "source": "s3://clinic/weather/", "target": "gs://clinic/weather/"},
            ],
            "models": [{"name": "risk-model", "source": "s3://models/risk/", "target": "gs://models/risk/"}],
            "compliance": {
                "frameworks": ["hipaa"], "classify": HEALTH, "business_associates": ["aws"], **compliance,
            },
        }
    )  # fmt: skip


def judged(edges: list[Edge] = EDGES, **more: Any) -> ComplianceRecord:
    spec = spec_of(**more)
    assert spec.compliance is not None
    lineage = lineage_of(spec, CONNECTIONS.get, COMPONENTS, edges, REFERENCES)
    return judge(spec, spec.compliance, {}, CONNECTIONS.get, TODAY, lineage)


def chains(record: ComplianceRecord) -> dict[str, tuple[str, ...]]:
    return {each.subject: each.chain for each in record.inherited}


def test_a_model_trained_on_health_data_counts_as_health_data_and_so_does_its_endpoint() -> None:
    record = judged()
    found = chains(record)
    assert found["risk-endpoint"] == (
        "patients", "training_pipeline train [reads, 0.85]", "model risk-model [made_by, 0.90]",
        "endpoint risk-config [serves, 1.00]", "endpoint risk-endpoint [belongs_to, 1.00]",
    )  # fmt: skip
    assert record.classes["risk-model"] == ("health",)
    assert record.classes["endpoint risk-endpoint"] == ("health",)
    broken = {(each.rule, each.subject) for each in record.outcomes if each.outcome == "broken"}
    assert {("HIPAA-001", "risk-model"), ("HIPAA-001", "endpoint risk-endpoint")} <= broken
    text = check_text(record, EvidenceRef(path="x", sha256="0", size_bytes=0))
    assert "endpoint risk-endpoint inherits health: patients → training_pipeline train" in text


def test_nothing_flows_through_a_role_or_to_what_reads_another_prefix() -> None:
    found = chains(judged())
    assert not {"weather-model", "other-job", "weather", "clinic"} & set(found) - {"clinic"}
    assert "runner" not in found


def test_an_unsure_edge_counts_and_is_told() -> None:
    record = judged()
    [group] = [each for each in record.inherited if each.subject == "visits"]
    assert group.confidence == 0.5
    assert record.classes["feature_store visits"] == ("health",)
    text = check_text(record, EvidenceRef(path="x", sha256="0", size_bytes=0))
    assert "[reads, 0.50] UNSURE (0.50)" in text


DECLASSIFY = [
    {"subject": "risk-model", "classes": ["health"], "reason": "aggregates of 1,000", "approver": "dpo"}
]


def test_what_is_declassified_goes_no_further_and_who_allowed_it_is_told() -> None:
    record = judged(declassify=DECLASSIFY)
    found = chains(record)
    assert "train" in found
    assert not {"risk-model", "risk-config", "risk-endpoint"} & set(found)
    [used] = record.declassified
    assert (used.approver, used.reason) == ("dpo", "aggregates of 1,000")
    assert used.kept_from


def test_a_statement_that_has_expired_keeps_nothing() -> None:
    expired = [{**DECLASSIFY[0], "expires": "2026-11-28"}]
    record = judged(declassify=expired)
    assert "risk-endpoint" in chains(record)
    assert not record.declassified


def test_what_was_found_in_something_is_not_taken_off_by_a_statement() -> None:
    own = [*HEALTH, {"subject": "risk-model", "classes": ["health"], "reason": "memorised rows were found"}]
    record = judged(declassify=DECLASSIFY, classify=own)
    assert record.classes["risk-model"] == ("health",)
    assert "risk-endpoint" in chains(record)


@pytest.mark.parametrize("missing", ["reason", "approver"])
def test_a_statement_needs_a_reason_and_an_approver(missing: str) -> None:
    wrong = {name: value for name, value in DECLASSIFY[0].items() if name != missing}
    with pytest.raises(ValueError, match=missing):
        spec_of(declassify=[wrong])


def test_circles_end() -> None:
    edges = [*EDGES, edge(JOB, ENDPOINT, "reads"), edge(MODEL, MODEL, "uses")]
    assert chains(judged(edges))["risk-endpoint"][0] == "patients"
    flows = [Flow("a", "b", "x"), Flow("b", "c", "x"), Flow("c", "a", "x"), Flow("c", "b", "x")]
    found = inherited(flows, {"a": ["personal"]})
    assert set(found) == {"b", "c"}


def test_the_surest_chain_is_told_and_the_shortest_among_equals() -> None:
    flows = [
        Flow("a", "z", "guess", 0.5), Flow("a", "b", "x", 0.9), Flow("b", "z", "x", 0.9),
        Flow("a", "c", "x", 0.9), Flow("c", "d", "x", 0.9), Flow("d", "z", "x", 0.9),
    ]  # fmt: skip
    chain = inherited(flows, {"a": ["personal"]})["z"]["personal"]
    assert [flow.derived for flow in chain.flows] == ["b", "z"]
    assert chain.confidence == 0.9


def test_somebody_has_decided_about_every_relation_of_the_inventory() -> None:
    from heavylift.inventory.aws import fields as aws
    from heavylift.inventory.azure import fields as azure
    from heavylift.inventory.gcp import fields as gcp
    from heavylift.inventory.kubernetes import fields as kubernetes

    pairs = (*aws._RELATIONS, *azure._RELATIONS, *gcp._RELATIONS, *kubernetes._RELATIONS.items())
    said = {relation for _, relation in pairs}
    folder = Path(aws.__file__).parent.parent
    text = "".join(file.read_text() for file in folder.rglob("fields.py"))
    said |= set(re.findall(r'(?:API_FIELD, |relation=)"([a-z]+(?:_[a-z]+)*)"\)', text))
    decided = FROM_TARGET | TO_TARGET | BOTH | set(NO_DATA) | {"belongs_to"}
    assert {"reads", "serves", "runs_as", "mounts"} <= said
    assert said <= decided, "say in heavylift/compliance/lineage.py whether data flows along it"


async def _keep_graph(store: EvidenceStore, number: int) -> None:
    """Keep an inventory and its graph, as the inventory capability does."""
    run = RunKey(migration="m", phase="assess", run="r")
    folder = inventory_folder(run, "src")
    references = [
        *REFERENCES,
        reference(CONFIG, MODEL.id, "serves", 1.0),
        reference(ENDPOINT, CONFIG.id, "belongs_to", 1.0),
        reference(MODEL, JOB.id, "made_by", 0.9),
    ]
    files = [
        await write_rows(store, f"{folder}/components-{number}.parquet", COMPONENTS, Component),
        await write_rows(store, f"{folder}/references-{number}.parquet", references, Reference),
        await write_rows(store, f"{folder}/edges-{number}.parquet", EDGES, Edge),
        await write_outside(store, f"{folder}/outside-{number}.parquet", []),
    ]
    common: dict[str, Any] = {"run": run, "seconds": 0.1}
    inventory = InventoryRecord(
        platform="aws", connection="src", account="1", regions=("eu-central-1",), began_at=utc_now(),
        counts={}, types={}, component_count=len(COMPONENTS), reference_count=len(references),
        components=files[0], references=files[1], units=1, complete=True, **common,
    )  # fmt: skip
    await store.write_json(inventory_path(run, "src", number), inventory)
    record = GraphRecord(
        inventory=inventory_path(run, "src", number), components=len(COMPONENTS), edges=len(EDGES),
        explicit_edges=len(EDGES), inferred_edges=0, relations={}, cycle_count=0, outside=3, explained=1,
        unexplained=2, whys={}, edge_rows=files[2], outside_rows=files[3], picture=files[3], passed=False,
        **common,
    )  # fmt: skip
    await store.write_json(graph_path(run, "src", number), record)


async def test_the_check_reads_the_newest_graph_and_the_gate_demands_the_same(tmp_path: Path) -> None:
    spec = spec_of(business_associates=["aws", "gcp"], declassify=DECLASSIFY)
    async with open_evidence(str(tmp_path.as_uri())) as store:
        record, _ = await check_compliance(store, spec, CONNECTIONS.get, "cli:me", TODAY)
        assert record.graph is None
        assert "no graph" in record.graph_told
        await _keep_graph(store, 1)
        record, _ = await check_compliance(store, spec, CONNECTIONS.get, "cli:me", TODAY)
        assert record.graph is not None
        assert "train" in chains(record)
        assert "2 references unanswered" in record.graph_told
        entries = [each async for each in AuditTrail(store, "m").entries()]
        [noted] = [each for each in entries if each.action == "compliance.declassified"]
        assert (noted.subject, noted.details["approver"]) == ("risk-model", "dpo")
        digest, now = judged_digest(spec), utc_now()
        outcome = await judge_compliance(store, "m", digest, timedelta(days=1), now)
        assert "graph" not in outcome.detail
        await _keep_graph(store, 2)
        outcome = await judge_compliance(store, "m", digest, timedelta(days=1), now)
        assert not outcome.passed
        assert "graph is another" in outcome.detail


def test_without_a_graph_classes_flow_as_stated() -> None:
    stated = [*HEALTH, {"subject": "risk-model", "made_from": ["patients"], "reason": "trained on it"}]
    spec = spec_of(classify=stated)
    assert spec.compliance is not None
    record = judge(spec, spec.compliance, {}, CONNECTIONS.get, TODAY, Lineage())
    assert chains(record) == {"risk-model": ("patients", "risk-model [stated, 1.00]")}
