"""Years of experiments for a tracking server: statements that fill MLflow's own tables, and artifacts.

Everything is computed from numbers, so that two stores of one size are equal to the last byte. It is
written past the server, because through it the same history takes minutes.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from heavylift.connections import Connection
from heavylift.platforms.postgresql.connect import connect
from sandbox.examples.objects import SeedObject
from sandbox.examples.uploading import ensure_s3_bucket, put_all, s3_client

BEGAN_MS = 1_760_000_000_000
"""When the first run began."""


@dataclass(frozen=True)
class Sizes:
    """How much there is.

    :param runs: of which every fifth is nested and every sixtieth deleted.
    """

    runs: int = 301
    metrics: int = 10
    steps: int = 50
    models: int = 7
    traces: int = 60


SMALL = Sizes(runs=24, metrics=2, steps=5, models=4, traces=6)
"""Enough for every kind of thing, and quickly there."""

_FILES = ("MLmodel", "data/weights.bin", "data/ünï code.txt")
_STATEMENTS = Path(__file__).with_suffix(".sql")


def seed(store: Connection, artifact_root: str, sizes: Sizes = SMALL) -> None:
    """Fill an empty tracking store.

    :param store: its database, as MLflow made it.
    :param artifact_root: the URL under which its experiments keep their artifacts.
    """
    values = {**asdict(sizes), "root": artifact_root, "began": BEGAN_MS}
    with closing(connect(store, "seed", autocommit=False)) as session, session:
        session.execute("SET search_path = public")
        for statement in _STATEMENTS.read_text().split(";\n"):
            if statement.strip():
                session.execute(statement.encode(), values)
    with closing(connect(store, "seed")) as session:
        session.execute("ANALYZE")


def seed_artifacts(store: Connection, objects: Connection, runs: int = 6) -> int:
    """Put artifacts where some runs and logged models of a seeded store say that theirs are; return how many.

    :param objects: the S3 server.
    """
    client = s3_client(objects)
    count = 0
    for uri in _places(store, runs):
        bucket, _, folder = uri.removeprefix("s3://").partition("/")
        ensure_s3_bucket(client, bucket)
        files = [SeedObject(f"{folder}/{name}", partial(_content, f"{uri}/{name}")) for name in _FILES]
        count += put_all(client, bucket, files)[0]
    return count


def seed_artifact_files(store: Connection, folder: Path, runs: int = 6) -> int:
    """Write the same artifacts into the folder from which a server hands them out; return how many.

    :param store: filled with a root under ``mlflow-artifacts:``.
    """
    count = 0
    for uri in _places(store, runs):
        place = folder / uri.removeprefix("mlflow-artifacts:/")
        for name in _FILES:
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_content(f"{uri}/{name}"))
            count += 1
    return count


def _places(store: Connection, runs: int) -> list[str]:
    """Return where some runs and logged models keep their artifacts."""
    with closing(connect(store, "seed")) as session:
        rows = session.execute(
            "(SELECT artifact_uri FROM public.runs ORDER BY start_time LIMIT %(most)s) UNION ALL"
            " (SELECT artifact_location FROM public.logged_models WHERE lifecycle_stage = 'active'"
            " ORDER BY model_id LIMIT %(most)s)",
            {"most": runs},
        ).fetchall()
    return [str(row[0]) for row in rows]


def _content(name: str) -> bytes:
    if name.endswith("/MLmodel"):
        # Tools that read it, such as mlflow-export-import, expect a mapping.
        return f"artifact_path: {json.dumps(name.removesuffix('/MLmodel'))}\nflavors: {{}}\n".encode()
    return (name.encode() + b"\n") * 50
