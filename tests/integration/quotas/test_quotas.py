"""Quotas as the platforms tell them, by servers that hold requests and answers to the published schemas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from heavylift.assess.basis import load_basis
from heavylift.assess.from_spec import with_quotas
from heavylift.assess.plan import make_plan
from heavylift.connections import connection_from_fields
from heavylift.evidence.assess_input import PlanInput
from heavylift.evidence.quota_records import QuotaRecord
from heavylift.evidence.records import RunKey
from heavylift.quotas.api import QuotaRequest, read_quotas
from tests.support.aws_json_server import RefusedError, aws_json
from tests.support.discovery import load
from tests.support.google_json_server import google_json
from tests.support.json_server import JsonServer

RUN = RunKey(migration="m", phase="assess", run="r")
KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
REGION = "eu-west-1"


def read(folder: Path, platform: str, region: str, raw: dict[str, Any]) -> QuotaRecord:
    connection = connection_from_fields("there", raw)
    request = QuotaRequest(RUN, platform, region, connection, folder.as_uri(), None, None)
    return asyncio.run(read_quotas(request))[0]


def planned(
    record: QuotaRecord, source: str, kind: str, instance: str, count: int = 1, **more: Any
) -> dict[str, str]:
    """Return the findings about quotas of a plan to where the record is of: rule → evidence."""
    raw = {
        "migration": "m", "source": source,
        "targets": [{"platform": record.platform, "region": record.region}],
        "constraints": {"start": "2026-12-01", "lines": [{"name": "one", "bits_per_second": 1e9}]},
        "components": [
            {"id": f"c{n}", "kind": kind, **more,
             **({"accelerator": {"instance_type": instance}} if instance else {})}
            for n in range(count)
        ],
    }  # fmt: skip
    given = PlanInput.model_validate(raw)
    given = given.model_copy(update={"targets": with_quotas(given.targets, [record])})
    found = make_plan(given, load_basis()).findings
    return {each.rule: each.evidence for each in found if each.rule in ("AS-120", "AS-121", "AS-122")}


def quota(service: str, code: str, name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"ServiceCode": service, "QuotaCode": code, "QuotaName": name, "Value": value,
            "Adjustable": True, "GlobalQuota": False, **more}  # fmt: skip


G_CORES = quota(
    "ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 32.0,
    UsageMetric={
        "MetricNamespace": "AWS/Usage", "MetricName": "ResourceCount",
        "MetricDimensions": {"Class": "G/OnDemand", "Resource": "vCPU", "Service": "EC2", "Type": "Resource"},
        "MetricStatisticRecommendation": "Maximum",
    },
)  # fmt: skip
OF_ACCOUNT = {
    "ec2": [quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0), G_CORES],
    "sagemaker": [quota("sagemaker", "L-1", "ml.g5.xlarge for endpoint usage", 1.0)],
    "s3": [quota("s3", "L-DC2B2D3D", "General purpose buckets", 10_000.0)],
    "rds": [],
}
DEFAULTS = {"ec2": [quota("ec2", "L-417A185B", "Running On-Demand P instances", 0.0)]}


def listed(known: dict[str, list[dict[str, Any]]], body: dict[str, Any]) -> dict[str, Any]:
    """Answer one quota a page."""
    quotas = known.get(body["ServiceCode"], [])
    at = int(body.get("NextToken") or 0)
    more = {"NextToken": str(at + 1)} if at + 1 < len(quotas) else {}
    return {"Quotas": quotas[at : at + 1], **more}


@pytest.fixture(scope="module")
def watch() -> Iterator[str]:
    """A CloudWatch in which 20 cores of G instances run."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    names = G_CORES["UsageMetric"]["MetricDimensions"]
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(names.items())]
    client = boto3.client("cloudwatch", endpoint_url=url, region_name=REGION, **KEYS)
    data = {
        "MetricName": "ResourceCount",
        "Dimensions": dimensions,
        "Value": 20.0,
        "Timestamp": datetime.now(UTC),
    }
    client.put_metric_data(Namespace="AWS/Usage", MetricData=[data])
    yield url
    server.stop()


def aws(quotas: str, watch: str) -> dict[str, Any]:
    services = {"service-quotas": {"endpoint_url": quotas}}
    extra = {"region_name": REGION, "endpoint_url": watch, "service_config": services}
    return {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}


def test_aws_limits_pages_defaults_and_what_is_used(watch: str, tmp_path: Path) -> None:
    operations = {
        "ListServiceQuotas": lambda body: listed(OF_ACCOUNT, body),
        "ListAWSDefaultServiceQuotas": lambda body: listed(DEFAULTS, body),
    }
    with aws_json("service-quotas", operations) as (url, asked):
        record = read(tmp_path, "aws", REGION, aws(url, watch))
    assert record.complete, record.findings
    limits = {each.key: each for each in record.limits}
    assert set(limits) == {
        "ec2:L-DB2E81BA", "ec2:L-417A185B", "s3:L-DC2B2D3D", "sagemaker:ml.g5.xlarge for endpoint usage",
    }  # fmt: skip
    assert (limits["ec2:L-DB2E81BA"].limit, limits["ec2:L-DB2E81BA"].used) == (32, 20)
    assert limits["s3:L-DC2B2D3D"].used is None
    assert {"NextToken", "ServiceCode"} in [set(body) for _, body in asked]
    # What the region does not offer to anybody is told, too.
    assert "g5.xlarge" not in record.missing
    assert "trn2.48xlarge" in record.missing
    # An instance of its own counts against cores: 4 of each g5.xlarge, and 12 are free.
    assert planned(record, "aws", "instance", "g5.xlarge", 3) == {}
    short = planned(record, "aws", "instance", "g5.xlarge", 4)["AS-120"]
    assert "16 vCPU needed by all together, 32 allowed, 20 used" in short
    assert "--quota-code L-DB2E81BA --desired-value 36 --region eu-west-1" in short
    # A managed endpoint counts against SageMaker's machines, and not against cores.
    managed = planned(record, "aws", "endpoint", "g5.xlarge", 2)["AS-120"]
    assert managed.startswith("ml.g5.xlarge for endpoint usage (sagemaker L-1): 2 machines needed")
    # Of what the account never touched the default counts.
    assert "Running On-Demand P instances" in planned(record, "aws", "instance", "p4d.24xlarge")["AS-120"]


def test_aws_that_refuses_is_told(watch: str, tmp_path: Path) -> None:
    def refuse(_body: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError("AccessDeniedException", "no")

    both = {"ListServiceQuotas": refuse, "ListAWSDefaultServiceQuotas": refuse}
    with aws_json("service-quotas", both) as (url, _):
        record = read(tmp_path, "aws", REGION, aws(url, watch))
    assert not record.complete
    permissions = {each.permission for each in record.findings}
    assert permissions == {"servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas"}
    # Then it is as before: nobody has looked it up.
    assert list(planned(record, "aws", "instance", "g5.xlarge")) == ["AS-121"]


def metric(name: str, *buckets: dict[str, Any]) -> dict[str, Any]:
    return {"metric": name, "consumerQuotaLimits": [{"metric": name, "quotaBuckets": list(buckets)}]}


def bucket(limit: int, **dimensions: str) -> dict[str, Any]:
    return {"effectiveLimit": str(limit), "defaultLimit": "0", "dimensions": dimensions}


PROJECT = "p-1"
QUOTAS_PATH = f"v1beta1/projects/{PROJECT}/services"
GOOGLE_METRICS = {
    "compute": [
        metric(
            "compute.googleapis.com/gpus_per_gpu_family",
            bucket(0), bucket(16, region="europe-west4", gpu_family="NVIDIA_H100"),
            bucket(99, region="us-east1", gpu_family="NVIDIA_H100"),
        ),
    ],
    "aiplatform": [
        metric(
            "aiplatform.googleapis.com/custom_model_serving_nvidia_l4_gpus",
            bucket(1, region="us-east1"), bucket(3, region="europe-west4"), bucket(2),
        ),
    ],
}  # fmt: skip


def offered(query: dict[str, str]) -> dict[str, Any]:
    assert query["filter"].startswith("name eq (a2|")
    zones = {
        "europe-west4-a": ("g2-standard-4", "g2-standard-12"),
        "europe-west4-b": ("a3-highgpu-1g",),
        "us-east1-b": ("a2-highgpu-1g",),
    }
    found = {
        "items": {
            f"zones/{zone}": {"machineTypes": [{"name": name} for name in names]}
            for zone, names in zones.items()
        }
    }
    for each in found["items"].values():
        load("compute.v1").check_value("MachineTypesScopedList", each, "items")
    return found


def google(**more: Any) -> dict[tuple[str, str], Any]:
    region = {"name": "europe-west4", "quotas": [
        {"metric": "NVIDIA_L4_GPUS", "limit": 4.0, "usage": 1.0},
        {"metric": "CPUS", "limit": 24.0, "usage": 0.0},
    ]}  # fmt: skip
    project = {"name": PROJECT, "quotas": [{"metric": "GPUS_ALL_REGIONS", "limit": -1.0, "usage": 1.0}]}
    load("compute.v1").check_value("Region", region, "region")
    load("compute.v1").check_value("Project", project, "project")
    for metrics in GOOGLE_METRICS.values():
        for each in metrics:
            load("serviceusage.v1beta1").check_value("ConsumerQuotaMetric", each, "metric")

    def paged(service: str) -> Any:
        def answer(query: dict[str, str]) -> dict[str, Any]:
            if "pageToken" not in query:
                return {"metrics": [], "nextPageToken": "more"}
            return {"metrics": GOOGLE_METRICS[service]}

        return answer

    return {
        ("cloudresourcemanager.v3", f"v3/projects/{PROJECT}"): lambda _: {"name": "projects/77"},
        ("compute.v1", f"compute/v1/projects/{PROJECT}/regions/europe-west4"): lambda _: region,
        ("compute.v1", f"compute/v1/projects/{PROJECT}"): lambda _: project,
        ("compute.v1", f"compute/v1/projects/{PROJECT}/aggregated/machineTypes"): offered,
        **{
            ("serviceusage.v1beta1", f"{QUOTAS_PATH}/{each}.googleapis.com/consumerQuotaMetrics"): paged(each)
            for each in ("compute", "aiplatform")
        },
        **more,
    }


def gcp(url: str) -> dict[str, Any]:
    extra = {"project": PROJECT, "endpoint_url": url, "anonymous": True}
    return {"conn_type": "google_cloud_platform", "extra": extra}


def test_google_limits_of_regions_families_and_managed_services(tmp_path: Path) -> None:
    with google_json(google()) as (url, _):
        record = read(tmp_path, "gcp", "europe-west4", gcp(url))
    assert record.complete, record.findings
    limits = {each.key: (each.limit, each.used) for each in record.limits}
    assert limits == {
        "compute:NVIDIA_L4_GPUS": (4, 1),
        "compute:NVIDIA_H100": (16, None),
        "compute:GPUS_ALL_REGIONS": (None, 1),
        "aiplatform:custom_model_serving_nvidia_l4_gpus": (3, None),
    }
    assert ("g2-standard-4" in record.missing, "a2-highgpu-1g" in record.missing) == (False, True)
    assert "AS-122" in planned(record, "aws", "instance", "p4d.24xlarge")
    assert planned(record, "aws", "instance", "g6.xlarge", 3) == {}
    short = planned(record, "aws", "instance", "g6.xlarge", 4)["AS-120"]
    assert "NVIDIA_L4_GPUS in europe-west4: 4 accelerators needed by all together, 4 allowed, 1 used" in short
    assert "edit NVIDIA_L4_GPUS in europe-west4 to 5" in short
    serving = planned(record, "aws", "endpoint", "g6.xlarge", 4)["AS-120"]
    assert "custom_model_serving_nvidia_l4_gpus" in serving
    assert planned(record, "aws", "instance", "p5.4xlarge", 16) == {}
    assert "NVIDIA_H100" in planned(record, "aws", "instance", "p5.4xlarge", 17)["AS-120"]


def test_google_that_is_off_or_refuses_is_told(tmp_path: Path) -> None:
    reason = {"reason": "SERVICE_DISABLED", "domain": "googleapis.com"}
    off = {"error": {"code": 403, "message": "off", "status": "PERMISSION_DENIED", "details": [reason]}}
    denied = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}
    path = f"{QUOTAS_PATH}/aiplatform.googleapis.com/consumerQuotaMetrics"
    refusing = {
        ("serviceusage.v1beta1", path): lambda _: (403, off),
        ("compute.v1", f"compute/v1/projects/{PROJECT}/regions/europe-west4"): lambda _: (403, denied),
    }
    with google_json({**google(), **refusing}) as (url, _):
        record = read(tmp_path, "gcp", "europe-west4", gcp(url))
    told = {each.rule: each.permission for each in record.findings}
    assert told == {"not_supported": "", "permission_missing": "compute.regions.get"}


SUB = "11111111-2222-3333-4444-555555555555"


def usage(value: str, shown: str, current: int, limit: int) -> dict[str, Any]:
    """Return a usage as Azure's SDK knows it."""
    from azure.mgmt.compute.models import Usage, UsageName

    name = UsageName(value=value, localized_value=shown)
    return dict(Usage(unit="Count", current_value=current, limit=limit, name=name).as_dict())


def sku(name: str, family: str, *restrictions: str) -> dict[str, Any]:
    found = [
        {"type": each, "values": ["westeurope"], "reasonCode": "NotAvailableForSubscription"}
        for each in restrictions
    ]
    return {"resourceType": "virtualMachines", "name": name, "family": family, "locations": ["westeurope"],
            "restrictions": found}  # fmt: skip


def azure_answers(http: str, target: str, _body: Any) -> tuple[int, dict[str, Any]]:
    path, _, query = target.partition("?")
    assert (http, "api-version=" in query) == ("GET", True)
    root = f"/subscriptions/{SUB}"
    usages = {
        "Microsoft.Compute": [
            usage("cores", "Total Regional vCPUs", 10, 100),
            usage("standardNCADSA100v4Family", "Standard NCADS_A100_v4 Family vCPUs", 24, 48),
        ],
        "Microsoft.MachineLearningServices": [usage("standardNCADSA100v4Family", "the same", 0, 0)],
        "Microsoft.Storage": [usage("StorageAccounts", "Storage Accounts", 3, 250)],
    }
    if path == root:
        return 200, {"id": root, "subscriptionId": SUB}
    for provider, listed_there in usages.items():
        if path == f"{root}/providers/{provider}/locations/westeurope/usages":
            return 200, {"value": listed_there}
    if path == f"{root}/providers/Microsoft.Compute/skus":
        assert "location%20eq%20%27westeurope%27" in query
        return 200, {"value": [
            sku("Standard_NC24ads_A100_v4", "standardNCADSA100v4Family"),
            sku("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", "Location"),
        ]}  # fmt: skip
    return 403, {"error": {"code": "AuthorizationFailed", "message": path}}


def test_azure_limits_of_families_and_sizes_that_are_not_offered(tmp_path: Path) -> None:
    server = JsonServer(azure_answers)
    extra = {"subscriptionId": SUB, "endpoint_url": server.url, "anonymous": True}
    try:
        record = read(tmp_path, "azure", "westeurope", {"conn_type": "azure", "extra": extra})
    finally:
        server.close()
    assert record.complete, record.findings
    limits = {each.key: (each.limit, each.used) for each in record.limits}
    assert limits == {
        "Microsoft.Compute:cores": (100, 10),
        "Microsoft.Compute:standardNCADSA100v4Family": (48, 24),
        "Microsoft.MachineLearningServices:standardNCADSA100v4Family": (0, 0),
        "Microsoft.Storage:StorageAccounts": (250, 3),
    }
    assert "Standard_NC4as_T4_v3" in record.missing
    assert "Standard_NC24ads_A100_v4" not in record.missing
    assert planned(record, "gcp", "instance", "a2-ultragpu-1g") == {}
    short = planned(record, "gcp", "instance", "a2-ultragpu-1g", 2)["AS-120"]
    assert "Standard NCADS_A100_v4 Family vCPUs" in short
    assert "value=72" in short
    # A managed endpoint counts against the quota of Azure Machine Learning, which is none.
    assert "MachineLearningServices" in planned(record, "gcp", "endpoint", "a2-ultragpu-1g")["AS-120"]
