"""What a plan of many components takes: ``python -m tests.benchmarks.plan_scale 100000 [--inventory]``.

With ``--inventory`` it begins with the components and references of an inventory: the graph, the translation,
the quotas of both targets and the assessment's own counting are in the time, and so are writing and reading
their files.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from random import Random
from typing import Any

KINDS = (
    ("dataset", "S3"),
    ("database", "RDS"),
    ("endpoint", "SageMaker Endpoint"),
    ("model", "SageMaker Model Registry"),
    ("training pipeline", "SageMaker Pipelines"),
    ("role", "IAM role"),
    ("secret", "Secrets Manager"),
)
INSTANCES = ("g5.xlarge", "p4d.24xlarge", "g4dn.xlarge")


def component(number: int, random: Random) -> dict[str, Any]:
    """Return one component of a made-up account."""
    kind, service = KINDS[number % len(KINDS)]
    made: dict[str, Any] = {
        "id": f"aws:{kind}:{number}",
        "kind": kind,
        "service": service,
        "owner": f"team{number % 211}",
        "region": "eu-west-1",
    }
    if kind in {"dataset", "database", "model"}:
        made |= {
            "size_bytes": random.randrange(10**12),
            "objects": random.randrange(10**6),
            "change_bytes_per_day": random.randrange(10**9),
            "log_access": kind == "database",
        }
    if kind == "endpoint":
        made |= {
            "accelerator": {"instance_type": random.choice(INSTANCES)},
            "replicas": 1,
            "requirements": ["torch==2.1", "numpy"],
            "links": ["s3://bucket/x"],
        }
    return made


def make_input(count: int) -> bytes:
    """Return an input with two dependencies for each component, two targets and two lines."""
    random = Random(1)
    parts = [component(number, random) for number in range(count)]
    pairs = [
        {"component": parts[number]["id"], "needs": parts[random.randrange(number)]["id"]}
        for number in range(1, count)
        for _ in range(2)
    ]
    lines = [
        {"name": "100 Gbit/s", "bits_per_second": 1e11},
        {"name": "200 Gbit/s", "bits_per_second": 2e11, "usd_per_month": 9000},
    ]
    targets = [{"platform": "gcp", "region": "europe-west4"}, {"platform": "azure", "region": "westeurope"}]
    limits = {"start": "2026-12-01", "lines": lines, "workers": 200, "residency": ["EU"], "customer": "EU"}
    return json.dumps(
        {
            "migration": "scale",
            "source": "aws",
            "targets": targets,
            "constraints": limits,
            "components": parts,
            "dependencies": pairs,
        }
    ).encode()


def main() -> None:
    """Make a plan and print what it took."""
    import gc

    count = int(sys.argv[1])
    gc.collect()
    gc.disable()
    told = from_inventory(count) if "--inventory" in sys.argv else from_input(count)
    print(f"{told}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MiB")


def from_input(count: int) -> str:
    """Plan what :func:`make_input` tells."""
    from heavylift.assess.basis import load_basis
    from heavylift.assess.document import digest_of, parse_input, to_document
    from heavylift.assess.plan import make_plan

    data = make_input(count)
    wall, cpu = time.monotonic(), time.process_time()
    plan = make_plan(parse_input(data, "made up"), load_basis())
    made = time.process_time() - cpu
    document = to_document(plan, digest_of(plan))
    return (
        f"{len(plan.components):,} components, {len(plan.waves):,} waves, {len(plan.findings):,} findings:"
        f" plan {made:.1f} s of CPU, with digest and document {time.process_time() - cpu:.1f} s,"
        f" {time.monotonic() - wall:.1f} s on the clock, document {len(document) >> 20} MiB"
    )


def from_inventory(count: int) -> str:
    """Assess an account as large as ``count``, from what its inventory has in the evidence store."""
    import asyncio
    import tempfile
    from pathlib import Path

    from heavylift.assess.api import make_assessment
    from heavylift.evidence.store import open_evidence
    from heavylift.inventory.api import make_graph
    from tests.benchmarks.made_account import keep_inventory, keep_quotas, spec_of

    async def measure(folder: Path) -> str:
        async with open_evidence(folder.as_uri()) as store:
            await keep_inventory(store, count)
            await keep_quotas(store)
            spec = spec_of(folder)
            wall, cpu = time.monotonic(), time.process_time()
            graph = await make_graph(store, spec.migration, "account")
            drawn = time.process_time() - cpu
            edges = graph.record.edges
            del graph
            record, _ = await make_assessment(store, spec, "account")
            return (
                f"{record.components:,} components, {edges:,} edges, {record.wave_count:,} waves:"
                f" graph {drawn:.1f} s of CPU, all {time.process_time() - cpu:.1f} s,"
                f" {time.monotonic() - wall:.1f} s on the clock, document {record.plan.size_bytes >> 20} MiB"
            )

    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(measure(Path(name)))


if __name__ == "__main__":
    main()
