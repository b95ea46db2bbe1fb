"""Names across platforms: what one inventory names is found in another, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heavylift.evidence.inventory_files import read_joined, write_rows
from heavylift.evidence.inventory_records import Component, How, InventoryRecord, Kind, Outside, Reference
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.inventory.graph import Graph, build_graph
from heavylift.inventory.references import Holder, references_of
from heavylift.inventory.values import compact
from heavylift.inventory.words import words_of

FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:f"


def component(
    id: str, platform: str, native_type: str, account: str, *known_as: str, name: str = "n"
) -> Component:
    attributes = compact({"known_as": list(known_as)}) if known_as else "{}"
    return Component(
        id, platform, platform, Kind.DATABASE, native_type, name, "", account, attributes_json=attributes
    )


def endpoint(variables: dict[str, str]) -> tuple[Component, list[Reference]]:
    holder = Holder(FUNCTION, "AWS::Lambda::Function", "lambda", "us-east-1", words_of("aws"))
    made = component(FUNCTION, "aws", "AWS::Lambda::Function", "111122223333", name="f")
    return made, references_of(holder, {"Environment": {"Variables": variables}})


def graph(variables: dict[str, str], *others: Component) -> Graph:
    made, references = endpoint(variables)
    return build_graph([made, *others], references, ("us-east-1",))


POSTGRES = component(
    "postgresql://db:5432", "postgresql", "PostgreSQL::Server", "db:5432", "host:db.internal:5432"
)
MLFLOW = component("mlflow://m:80", "mlflow", "MLflow::Server", "m:80", "host:tracking.internal:80")
MODEL = component("mlflow://m:80/models/churn", "mlflow", "MLflow::RegisteredModel", "m:80", "models:/churn")
BLOBS = component("/subscriptions/s/x", "azure", "Azure::Storage::Container", "s", "az://acct/raw")
GCS = component("//storage.googleapis.com/raw", "gcp", "GCP::Storage::Bucket", "p", "gs://raw")


@pytest.mark.parametrize(
    ("value", "id"),
    [
        ("postgresql://u:p@db.internal:5432/x", POSTGRES.id),
        ("postgresql://u:p@db.internal/x", POSTGRES.id),
        ("jdbc:postgresql://DB.internal:5432/x?user=u", POSTGRES.id),
        ("host=db.internal dbname=x port=5432 password=p", POSTGRES.id),
        ("http://tracking.internal:80/api", MLFLOW.id),
        ("models:/churn/3", MODEL.id),
        ("abfss://raw@acct.dfs.core.windows.net/a/b", BLOBS.id),
        ("https://acct.blob.core.windows.net/raw/a?sig=x", BLOBS.id),
        ("wasbs://raw@acct.blob.core.windows.net/a", BLOBS.id),
        ("gs://raw/a/b.parquet", GCS.id),
        ("https://storage.googleapis.com/raw/a", GCS.id),
    ],
)
def test_a_variable_names_something_of_another_platform(value: str, id: str) -> None:
    made = graph({"V": value}, POSTGRES, MLFLOW, MODEL, BLOBS, GCS)
    assert [(edge.source, edge.target) for edge in made.edges] == [(FUNCTION, id)]
    assert not made.edges[0].explicit
    assert made.outside == ()


def test_another_port_of_a_known_machine_is_something_else() -> None:
    made = graph({"V": "redis://db.internal:6379/0"}, POSTGRES)
    assert made.edges == ()
    assert [each.why for each in made.outside] == [Outside.HOST]


def test_a_name_that_two_have_names_neither_but_for_ones_own_account() -> None:
    twin = component(
        "mlflow://other/models/churn", "mlflow", "MLflow::RegisteredModel", "other", "models:/churn"
    )
    assert graph({"V": "models:/churn/1"}, MODEL, twin).edges == ()
    reference = Reference(MLFLOW.id, "f", "models:/churn", "uses", How.TEXT, 0.5)
    made = build_graph([MLFLOW, MODEL, twin], [reference])
    assert [edge.target for edge in made.edges] == [MODEL.id]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("projects/vertex-ai/locations/l/models/x", Outside.PLATFORM),
        ("projects/other/locations/l/models/x", Outside.OTHER_ACCOUNT),
        ("projects/p/topics/x", Outside.NOT_READ),
        ("gs://gone/x", Outside.MISSING),
        ("az://gone/x", Outside.MISSING),
        ("gcp:serviceAccount:x@p.iam.gserviceaccount.com", Outside.MISSING),
        ("gcp:serviceAccount:x@other.iam.gserviceaccount.com", Outside.OTHER_ACCOUNT),
        ("/subscriptions/other/resourcegroups/g/providers/a.b/c/d", Outside.OTHER_ACCOUNT),
        ("/subscriptions/s/resourcegroups/g/providers/a.b/c/d", Outside.NOT_READ),
        ("/subscriptions/s/providers/microsoft.authorization/roledefinitions/x", Outside.PLATFORM),
        ("Kubernetes::Certificate|ns|x", Outside.NOT_READ),
        ("models:/gone", Outside.NOT_READ),
        ("image:l-docker.pkg.dev/deeplearning-platform-release/gcr/x", Outside.PLATFORM),
        ("azure:principal:x", Outside.NOT_READ),
    ],
)
def test_what_nothing_answers_has_its_reason(target: str, why: Outside) -> None:
    reference = Reference(GCS.id, "f", target, "uses", How.API_FIELD, 1.0)
    made = build_graph([GCS, BLOBS], [reference])
    assert [each.why for each in made.outside] == [why]


def walked(platform: str, document: dict[str, Any], region: str = "ns") -> set[tuple[str, How]]:
    holder = Holder("me", "T", "s", region, words_of(platform))
    return {(each.target, each.how) for each in references_of(holder, document)}


def test_a_bare_host_inside_a_cluster_is_a_service_of_its_namespace() -> None:
    env = [{"name": "A", "value": "http://tracking:5000"}, {"name": "B", "value": "redis://localhost:6379"}]
    found = walked("kubernetes", {"spec": {"containers": [{"env": env}]}})
    assert found == {("host:tracking.ns.svc.cluster.local:5000", How.ENVIRONMENT)}, "localhost is the pod"


def test_what_a_native_plane_found_is_not_kept_as_an_attribute() -> None:
    document = {"_links": [{"field": "f", "target": "host:x:1", "relation": "reads"}]}
    assert walked("postgresql", document) == {("host:x:1", How.API_FIELD)}


RDS = Component(
    "arn:aws:rds:us-east-1:111122223333:db:features", "aws", "rds", Kind.DATABASE, "AWS::RDS::DBInstance",
    "features", "us-east-1", "111122223333",
    attributes_json=compact({"Endpoint": {"Address": "db.internal", "Port": 5432}}),
)  # fmt: skip


def test_a_server_runs_on_what_its_platform_lists_under_the_same_host() -> None:
    value = {"FEATURES": "postgresql://u:p@db.internal:5432/x"}
    found = graph(value, POSTGRES, RDS).edges
    assert {(edge.source, edge.target, edge.relation) for edge in found if edge.relation == "runs_on"} == {
        (POSTGRES.id, RDS.id, "runs_on")
    }
    assert (FUNCTION, POSTGRES.id) in {(edge.source, edge.target) for edge in found}
    # A host alone is both: the function's own account lists the instance, a pod's cluster neither.
    found = graph({"DB": "host=db.internal dbname=x"}, POSTGRES, RDS).edges
    assert (FUNCTION, RDS.id) in {(edge.source, edge.target) for edge in found}
    pod = component("k8s://c/pod", "kubernetes", "Kubernetes::Pod", "c")
    asks = Reference(pod.id, "env", "host:db.internal", "uses", How.ENVIRONMENT, 0.9)
    found = build_graph([pod, POSTGRES, RDS], [asks]).edges
    assert (pod.id, POSTGRES.id) in {(edge.source, edge.target) for edge in found}


async def test_a_size_comes_from_whichever_inventory_tells_it(tmp_path: Path) -> None:
    bare = replace(GCS, size_bytes=None)
    sized = replace(GCS, platform="objects", size_bytes=7, objects=2)
    async with open_evidence(tmp_path.as_uri(), None) as store:
        records = [
            await kept(store, f"{number}.parquet", [each]) for number, each in enumerate((bare, sized))
        ]
        [found] = await read_joined(store, records)
        [other] = await read_joined(store, records[::-1])
    assert (found.platform, found.size_bytes, found.objects) == ("gcp", 7, 2)
    assert (other.platform, other.size_bytes) == ("objects", 7)


async def kept(store: EvidenceStore, path: str, components: list[Component]) -> InventoryRecord:
    rows = await write_rows(store, path, components, Component)
    references = await write_rows(store, f"r-{path}", [], Reference)
    return InventoryRecord(
        run=RunKey(migration="m", phase="assess", run="r"), platform="gcp", connection="c", account="p",
        regions=(), began_at=datetime(2026, 11, 29, tzinfo=UTC), counts={}, types={},
        component_count=len(components), reference_count=0, components=rows, references=references, units=1,
        complete=True, seconds=0.0,
    )  # fmt: skip
