"""The fraud-scoring workload: training tables, model versions and case papers on the AWS side.

``python -m sandbox.examples.fraud_scoring seed`` fills ``s3://fraud-scoring`` and creates the
empty ``gs://fraud-scoring``; ``mutate`` then adds two objects and changes one, as a living
workload would, so that the next sync has something to do. Both read ``AIRFLOW_CONN_AWS_SOURCE``
and ``AIRFLOW_CONN_GCP_TARGET``. The same scale and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from heavylift.connections import connection_from_env
from heavylift.errors import HeavyliftError
from sandbox.examples import documents, models, tables
from sandbox.examples.objects import SeedObject
from sandbox.examples.tables import Scale
from sandbox.examples.uploading import ensure_gcs_bucket, ensure_s3_bucket, put_all, s3_client

BUCKET = "fraud-scoring"
SOURCE, TARGET = "aws_source", "gcp_target"


@dataclass(frozen=True)
class SeedSummary:
    """What was put on the source.

    :param added: objects under keys that ``seed`` does not make; only after ``mutate``.
    :param changed: objects with new content under a seeded key; only after ``mutate``.
    """

    bucket: str
    objects: int
    size_bytes: int
    seconds: float
    added: int = 0
    changed: int = 0

    def __str__(self) -> str:
        what = f"{self.objects} objects, {self.size_bytes / 2**20:.1f} MiB"
        if self.added or self.changed:
            what = f"{self.added} objects added, {self.changed} changed"
        return f"{what} in s3://{self.bucket} ({self.seconds:.1f} s)"


def seed(
    env: Mapping[str, str] | None = None,
    *,
    scale: float = 1.0,
    seed: int = 7,
    bucket: str = BUCKET,
) -> SeedSummary:
    """Put the workload on the source and create the target's bucket. Safe to run again.

    :param env: holds the two ``AIRFLOW_CONN_*`` variables; by default the process's own.
    :param scale: 1.0 gives about 300 objects of 120 MB in all.
    :param bucket: its name on both sides.
    :raises ConnectionConfigError: a connection is missing.
    """
    environ = os.environ if env is None else env
    began = time.monotonic()
    ensure_gcs_bucket(connection_from_env(TARGET, environ), bucket)
    client = s3_client(connection_from_env(SOURCE, environ))
    ensure_s3_bucket(client, bucket)
    count, size_bytes = put_all(client, bucket, seed_objects(Scale(scale, seed)))
    return SeedSummary(bucket, count, size_bytes, time.monotonic() - began)


def mutate(
    env: Mapping[str, str] | None = None,
    *,
    scale: float = 1.0,
    seed: int = 7,
    bucket: str = BUCKET,
) -> SeedSummary:
    """Add the next day's transactions and a case, and change the policy paper.

    A second call changes nothing more.

    :param scale: the one that the workload was seeded with.
    :raises ConnectionConfigError: a connection is missing.
    """
    began = time.monotonic()
    client = s3_client(connection_from_env(SOURCE, os.environ if env is None else env))
    added, changed = later_objects(Scale(scale, seed))
    count, size_bytes = put_all(client, bucket, (*added, *changed))
    return SeedSummary(bucket, count, size_bytes, time.monotonic() - began, len(added), len(changed))


def seed_objects(scale: Scale) -> Iterator[SeedObject]:
    """Yield every object of the workload."""
    yield from models.model_objects(scale)
    for index in range(tables.DAYS):
        yield _day(scale, index)
    csv = "text/csv; charset=utf-8"
    yield SeedObject("training/labels.csv", partial(tables.labels_csv, scale), csv)
    yield SeedObject("training/merchants/merchants.csv", partial(tables.merchants_csv, scale), csv)
    yield SeedObject(
        "training/customers.csv.gz",
        partial(tables.customers_gzip, scale),
        csv,
        content_encoding="gzip",
        metadata={"contains": "personal-data"},
        tags={"class": "confidential"},
    )
    yield from documents.document_objects(scale)


def later_objects(scale: Scale) -> tuple[tuple[SeedObject, ...], tuple[SeedObject, ...]]:
    """Return what ``mutate`` adds and what it changes."""
    added = (_day(scale, tables.DAYS), documents.case(scale, documents.CASES))
    return added, (documents.policy(2),)


def _day(scale: Scale, index: int) -> SeedObject:
    return SeedObject(
        f"training/transactions/day={tables.day_of(index)}/part-0.parquet",
        partial(tables.transactions_parquet, scale, index),
        "application/vnd.apache.parquet",
        cache_control="max-age=86400",
        metadata={"rows": str(scale.rows_a_day)},
        tags={"dataset": "transactions"} if index % 10 == 0 else {},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``seed`` or ``mutate`` and print what was done; 2 where a connection is wrong."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.examples.fraud_scoring", description=__doc__)
    parser.add_argument("act", choices=("seed", "mutate"))
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about 120 MB")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bucket", default=BUCKET)
    options = parser.parse_args(argv)
    act = seed if options.act == "seed" else mutate
    try:
        sys.stdout.write(f"{act(scale=options.scale, seed=options.seed, bucket=options.bucket)}\n")
    except HeavyliftError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
