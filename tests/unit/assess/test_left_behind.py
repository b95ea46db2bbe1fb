"""What holds data and does not move is named, in whole and in part, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heavylift.assess.left_behind import Held, left_behind
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.inventory_records import RUNS_ON, Edge, How, InventoryRecord, Kind
from heavylift.evidence.inventory_records import Component as Listed
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_assess import AcceptedStay
from tests.unit.assess.test_translate import listed, translated
from tests.unit.spec.samples import HEAD, load

HOME = "postgresql://db.internal:5432"
INSTANCE = "arn:aws:rds:eu-west-1:111122223333:db:features"
LINES = "assess: {lines: [{name: today, bandwidth: 125MB/s}]}\n"


def bucket(name: str, **more: Any) -> Listed:
    return listed("AWS::S3::Bucket", f"arn:aws:s3:::{name}", name=name, size_bytes=7, **more)


def record(connection: str, account: str) -> InventoryRecord:
    rows = EvidenceRef(path="x", sha256="0" * 64, size_bytes=1)
    return InventoryRecord(
        run=RunKey(migration="m", phase="assess", run="r"), platform="p", connection=connection,
        account=account, regions=(), began_at=datetime(2026, 11, 29, tzinfo=UTC), counts={}, types={},
        component_count=0, reference_count=0, components=rows, references=rows, units=1, complete=True,
        seconds=0.0,
    )  # fmt: skip


def left(
    folder: Path, sections: str, *parts: Listed, edges: Any = (), stays: Any = ()
) -> dict[str, tuple[str, str]]:
    spec = load(folder, HEAD + LINES + sections)
    held = Held(parts, edges, (record("shop", "db.internal:5432"), record("broker", "k:9092")))
    accepted = [AcceptedStay(**each) for each in stays]
    found, _ = left_behind(
        translated(*parts, edges=edges), held, spec, {"shop": "shop"}.__getitem__, accepted
    )
    return {each.component: (each.moves, each.accepted) for each in found}


@pytest.mark.parametrize(
    ("datasets", "expected"),
    [
        ("", {"arn:aws:s3:::training": ("", "")}),
        ("{name: a, source: s3://training, target: gs://training}", {}),
        ("{name: a, source: s3://train, target: gs://train}", {"arn:aws:s3:::training": ("", "")}),
        (
            "{name: a, source: s3://training/a/, target: gs://training/a/}",
            {"arn:aws:s3:::training": ("a/", "")},
        ),
        (
            "{name: a, source: s3://training, target: gs://training, exclude: ['tmp/**']}",
            {"arn:aws:s3:::training": ("what fits exclude of dataset a", "")},
        ),
    ],
)
def test_a_bucket_moves_as_a_whole_or_is_named(
    datasets: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    role = listed("AWS::IAM::Role", "arn:aws:iam::1:role/r", Kind.ROLE)
    empty = listed("AWS::S3::Bucket", "arn:aws:s3:::empty", name="empty", size_bytes=0)
    assert left(tmp_path, f"datasets: [{datasets}]\n", bucket("training"), role, empty) == expected


def database(tables: str = "") -> str:
    side = "engine: postgresql, connection"
    return f"databases: [{{name: d, source: {{{side}: shop}}, target: {{{side}: there}}{tables}}}]\n"


@pytest.mark.parametrize(
    ("sections", "others", "expected"),
    [
        ("", (), {INSTANCE: ("", "")}),
        (database(), (), {}),
        (database(", tables: ['public.orders']"), (), {INSTANCE: (f"{HOME}/shop", "")}),
        (database(), ("archive",), {INSTANCE: (f"{HOME}/shop", "")}),
    ],
)
def test_an_instance_moves_once_all_databases_in_it_do(
    sections: str, others: tuple[str, ...], expected: dict[str, Any], tmp_path: Path
) -> None:
    parts = [
        listed("AWS::RDS::DBInstance", INSTANCE, Kind.DATABASE, size_bytes=100),
        listed("PostgreSQL::Server", HOME, Kind.DATABASE),
        *(
            listed("PostgreSQL::Database", f"{HOME}/{name}", Kind.DATABASE, name=name, size_bytes=3)
            for name in ("shop", *others)
        ),
    ]
    edges = [Edge(HOME, INSTANCE, RUNS_ON, How.API_FIELD, 1.0)]
    assert left(tmp_path, sections, *parts, edges=edges) == expected


def test_topics_move_by_their_patterns_and_what_stays_has_a_reason(tmp_path: Path) -> None:
    topics = [
        listed("Kafka::Topic", f"kafka://k:9092/topics/{name}", Kind.STREAM, name=name)
        for name in ("orders", "audit")
    ]
    side = "engine: kafka, connection"
    streams = (
        f"streams: [{{name: s, source: {{{side}: broker}}, target: {{{side}: there}}, topics: ['ord*']}}]\n"
    )
    assert left(tmp_path, streams, *topics) == {"kafka://k:9092/topics/audit": ("", "")}
    stays = [{"match": "aud*", "reason": "kept by law where it is"}]
    assert left(tmp_path, streams, *topics, stays=stays) == {
        "kafka://k:9092/topics/audit": ("", "kept by law where it is")
    }


def test_folders_and_containers_of_other_clouds_are_found_under_their_names(tmp_path: Path) -> None:
    folders = [
        listed("Files::Folder", f"file:///data/{name}", name=name, size_bytes=5) for name in ("a", "b", "c")
    ]
    container = listed(
        "Azure::Storage::Container", "/subscriptions/s/c", name="raw", size_bytes=5,
        attributes={"known_as": ["az://account/raw"]},
    )  # fmt: skip
    sections = (
        "datasets:\n"
        "- {name: a, source: {url: 'file:///data/a', platform: kubernetes, connection: c}, target: gs://t-a}\n"
        "- {name: b, source: {url: 'file:///data/b/x', platform: kubernetes, connection: c}, target: gs://t-b}\n"
        "- {name: c, source: {url: az://raw, platform: azure, connection: c}, target: gs://there-c}\n"
    )
    assert left(tmp_path, sections, *folders, container) == {
        "file:///data/b": ("/data/b/x", ""),
        "file:///data/c": ("", ""),
    }


def test_histories_of_feature_stores_move_with_them(tmp_path: Path) -> None:
    sides = "source: {connection: a}, target: {connection: b}"
    pairs = "{source: 's3://lake/fs', target: 's3://new/fs'}, {source: 's3://all', target: 's3://new/all'}"
    sections = f"feature_stores: [{{name: f, {sides}, history: [{pairs}]}}]\n"
    assert left(tmp_path, sections, bucket("lake"), bucket("all")) == {"arn:aws:s3:::lake": ("fs/", "")}
