"""An inventory as large as one likes, as an account's own would lie in the evidence store."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import yaml

from heavylift.evidence.inventory_files import write_rows
from heavylift.evidence.inventory_records import (
    Component,
    How,
    InventoryRecord,
    Kind,
    Reference,
    inventory_folder,
    inventory_path,
)
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.spec import MigrationSpec, load_spec

ACCOUNT, REGION = "111122223333", "eu-west-1"
TYPES = (
    ("s3", "AWS::S3::Bucket", Kind.DATASET, "arn:aws:s3:::bucket-{n}"),
    ("rds", "AWS::RDS::DBInstance", Kind.DATABASE, "arn:aws:rds:{r}:{a}:db:db-{n}"),
    ("sagemaker", "AWS::SageMaker::Endpoint", Kind.ENDPOINT, "arn:aws:sagemaker:{r}:{a}:endpoint/e-{n}"),
    (
        "sagemaker", "AWS::SageMaker::EndpointConfig", Kind.ENDPOINT,
        "arn:aws:sagemaker:{r}:{a}:endpoint-config/c-{n}",
    ),
    ("sagemaker", "AWS::SageMaker::Model", Kind.MODEL, "arn:aws:sagemaker:{r}:{a}:model/m-{n}"),
    ("sagemaker", "AWS::SageMaker::TrainingJob", Kind.JOB, "arn:aws:sagemaker:{r}:{a}:training-job/t-{n}"),
    ("iam", "AWS::IAM::Role", Kind.ROLE, "arn:aws:iam::{a}:role/r-{n}"),
    (
        "secretsmanager", "AWS::SecretsManager::Secret", Kind.SECRET,
        "arn:aws:secretsmanager:{r}:{a}:secret:s-{n}",
    ),
)  # fmt: skip
INSTANCES = ("ml.g5.xlarge", "ml.p4d.24xlarge", "ml.m5.xlarge")


def spec_of(folder: Path) -> MigrationSpec:
    """Return a spec with two targets and two lines, as the plan from a file has them."""
    spec = {
        "apiVersion": "heavylift/v1",
        "migration": "scale",
        "owner": "team",
        "source": {"platform": "aws", "connection": "account"},
        "target": {"platform": "gcp", "connection": "there", "region": "europe-west4"},
        "assess": {
            "start": "2026-12-01",
            "workers": 200,
            "residency": ["EU"],
            "customer": "EU",
            "targets": [{"region": "europe-west4"}, {"platform": "azure", "region": "westeurope"}],
            "lines": [
                {"name": "100 Gbit/s", "bandwidth": "12.5GB/s"},
                {"name": "200 Gbit/s", "bandwidth": "25GB/s", "usd_per_month": 9000.0},
            ],
        },
    }
    path = folder / "scale.yaml"
    path.write_text(yaml.safe_dump(spec))
    return load_spec(path)


async def keep_inventory(store: EvidenceStore, count: int) -> None:
    """Write an inventory of ``count`` components, each with two references to others."""
    random = Random(1)
    components = [_component(number, random) for number in range(count)]
    references = [
        Reference(one.id, "Some.Field", components[random.randrange(number)].id, "uses", How.API_FIELD, 1.0)
        for number, one in enumerate(components)
        if number
        for _ in range(2)
    ]
    run = RunKey(migration="scale", phase="assess", run="made")
    folder = inventory_folder(run, "account")
    record = InventoryRecord(
        run=run,
        platform="aws",
        connection="account",
        account=ACCOUNT,
        regions=(REGION,),
        began_at=utc_now(),
        counts={},
        types={},
        component_count=count,
        reference_count=len(references),
        components=await write_rows(store, f"{folder}/components-1.parquet", components, Component),
        references=await write_rows(store, f"{folder}/references-1.parquet", references, Reference),
        units=1,
        complete=True,
        seconds=0.0,
    )
    await store.write_json(inventory_path(run, "account", 1), record)


def _component(number: int, random: Random) -> Component:
    service, native_type, kind, pattern = TYPES[number % len(TYPES)]
    id = pattern.format(n=number, r=REGION, a=ACCOUNT)
    held = kind in {Kind.DATASET, Kind.DATABASE}
    attributes = {
        "ResourceConfig": {"InstanceType": random.choice(INSTANCES), "InstanceCount": 2},
        "ProductionVariants": [{"InstanceType": random.choice(INSTANCES), "InitialInstanceCount": 2}],
        "TrainingTimeInSeconds": random.randrange(1, 10**5),
        "Description": "x" * 400,
    }
    return Component(
        id=id,
        platform="aws",
        service=service,
        kind=kind,
        native_type=native_type,
        name=id.rpartition("/")[2].rpartition(":")[2],
        region=REGION,
        account=ACCOUNT,
        created_at="2026-01-01T00:00:00+00:00",
        size_bytes=random.randrange(10**12) if held else None,
        objects=random.randrange(10**6) if kind is Kind.DATASET else None,
        status="Completed",
        tags_json=json.dumps({"team": f"team{number % 211}"}),
        attributes_json=json.dumps(attributes),
    )


async def keep_quotas(store: EvidenceStore) -> None:
    """Keep quotas of both targets: two for each type of machine, as platforms tell them."""
    from heavylift.evidence.assess_input import QuotaLimit, QuotaRule
    from heavylift.evidence.quota_records import QuotaRecord, quotas_path
    from heavylift.facts.accelerators import load_accelerators

    run = RunKey(migration="scale", phase="assess", run="made")
    for platform, region in (("gcp", "europe-west4"), ("azure", "westeurope")):
        limits, rules = [], []
        for each in (each for each in load_accelerators().types if each.provider == platform):
            for capability in ("", "real-time endpoint"):
                key = f"{each.name}/{capability or 'any'}"
                limits.append(QuotaLimit(key=key, name=key, limit=10.0**7, used=1.0, ask="ask for {value}"))
                rules.append(QuotaRule(key=key, instance_type=each.name, capability=capability, amount=1.0))
        record = QuotaRecord(
            run=run, platform=platform, region=region, connection="there", account="a", limits=tuple(limits),
            rules=tuple(rules), complete=True, requests=1, seconds=0.0,
        )  # fmt: skip
        await store.write_json(quotas_path(run, "there", region, 1), record)
