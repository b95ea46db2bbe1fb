"""What an AWS account's machines use, by CloudWatch of moto's server: as the shell reads and shows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from heavylift.evidence.assess_evidence import latest_use
from heavylift.evidence.store import open_evidence
from heavylift.inventory.aws.catalog import ROWS
from heavylift.utilisation import api
from tests.unit.objects.test_objects_cli import heavylift

REGION = "eu-west-1"
KEYS = {"region_name": REGION, "aws_access_key_id": "a", "aws_secret_access_key": "do-not-show-me"}
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOURS = 48
GAP = range(10, 13)
READ = {"Endpoint", "EndpointConfig", "NotebookInstance", "DBInstance"}
ASSESS: dict[str, Any] = {
    "connection": "account", "regions": [REGION], "bucket_sizes": "none", "max_requests": 10_000,
    "skip": [row.native_type for row in ROWS if row.native_type.rpartition(":")[2] not in READ],
    "lines": [{"name": "today", "bandwidth": "125MB/s"}], "utilisation": {"period": "2d"},
}  # fmt: skip


class Account:
    """An account with an endpoint of four cores and one device, a database, an instance and a notebook."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.watch = boto3.client("cloudwatch", endpoint_url=url, **KEYS)
        maker = boto3.client("sagemaker", endpoint_url=url, **KEYS)
        role = "arn:aws:iam::123456789012:role/r"
        image = {"Image": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/x:1"}
        maker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=image)
        variant = {"VariantName": "all", "ModelName": "m", "InitialInstanceCount": 1}
        variants = [{**variant, "InstanceType": "ml.g4dn.xlarge"}]
        maker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=variants)
        maker.create_endpoint(EndpointName="score", EndpointConfigName="c")
        maker.create_notebook_instance(NotebookInstanceName="n", InstanceType="ml.t3.medium", RoleArn=role)
        boto3.client("rds", endpoint_url=url, **KEYS).create_db_instance(
            DBInstanceIdentifier="features", DBInstanceClass="db.r5.large", Engine="postgres",
            AllocatedStorage=20, MasterUsername="someone", MasterUserPassword="do-not-show-me",
        )  # fmt: skip

    def put(self, namespace: str, metric: str, dimensions: dict[str, str], *values: float) -> None:
        """Put these values into each hour but those of the gap."""
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        for hour in range(1, HOURS + 1):
            if hour in GAP:
                continue
            data = [
                {"MetricName": metric, "Dimensions": named, "Value": value,
                 "Timestamp": NOW - timedelta(hours=hour) + timedelta(minutes=5 + n)}
                for n, value in enumerate(values)
            ]  # fmt: skip
            self.watch.put_metric_data(Namespace=namespace, MetricData=data)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = Account(f"http://{host}:{port}")
    endpoint = {"EndpointName": "score", "VariantName": "all"}
    made.put("/aws/sagemaker/Endpoints", "CPUUtilization", endpoint, 100.0, 300.0)
    made.put("/aws/sagemaker/Endpoints", "GPUUtilization", endpoint, 20.0, 60.0)
    database = {"DBInstanceIdentifier": "features"}
    made.put("AWS/RDS", "CPUUtilization", database, 30.0)
    made.put("AWS/RDS", "FreeableMemory", database, 4.0 * 2**30, 12.0 * 2**30)
    yield made
    server.stop()


@pytest.fixture
def spec(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    extra = {"region_name": REGION, "endpoint_url": account.url}
    login = {"conn_type": "aws", "login": "a", "password": KEYS["aws_secret_access_key"], "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", json.dumps(login))
    # The clock may have struck since the values were put.
    window_of = api.window_of
    monkeypatch.setattr(api, "window_of", lambda asked: window_of(replace(asked, until=NOW.timestamp() + 60)))
    return written(tmp_path)


def written(folder: Path, **more: Any) -> Path:
    given = {
        "apiVersion": "heavylift/v1", "migration": "used", "owner": "team",
        "source": {"platform": "aws", "connection": "account"},
        "target": {"platform": "gcp", "connection": "there", "region": "europe-west4"},
        "datasets": [{"name": "a", "source": "s3://some/a/", "target": "gs://some/a/"}],
        "assess": {**ASSESS, **more},
    }  # fmt: skip
    path = folder / "used.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


def shell(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any], str]:
    status, document, errors = heavylift(capsys, *map(str, words), "--json")
    assert "do-not-show-me" not in json.dumps(document) + errors
    assert "error" not in document or (status == 2 and "HL-94" in errors), errors
    return status, document, errors


def series_of(record: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["name"], one["use"]): one for each in record["components"] for one in each["series"]}


def test_shares_peaks_and_gaps_of_endpoints_and_databases(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cores are added up by SageMaker: 200 of 400. Of what is free the least is the peak."""
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    shell(capsys, "inventory", spec, *store)
    status, document, _ = shell(capsys, "baseline", spec, *store)
    assert status == 0
    [record] = document["utilisation"]
    counts = [record[each] for each in ("wanted", "with_values", "without_values", "not_asked")]
    assert counts == [3, 2, 1, 0]
    assert [each["rule"] for each in record["findings"]] == ["not_published"]
    found = series_of(record)
    cpu = found["score", "cpu"]
    assert (cpu["unit"], cpu["p50"], cpu["peak"]) == ("share", 0.5, 0.75)
    assert (found["score", "gpu"]["p50"], found["score", "gpu"]["peak"]) == (0.4, 0.6)
    assert found["features", "cpu"]["p50"] == 0.3
    memory = found["features", "memory"]
    assert (memory["p50"], memory["peak"]) == (0.5, 0.75)
    assert (cpu["points"], cpu["expected"]) == (HOURS - len(GAP), HOURS)
    [gap] = cpu["gaps"]
    assert gap["start"] == (NOW - timedelta(hours=GAP[-1])).isoformat().replace("+00:00", "Z")
    assert cpu["gap_share"] == pytest.approx(len(GAP) / HOURS, abs=1e-6)
    assert cpu["line"].count(None) == len(GAP)


def test_another_run_adds_a_record_and_the_first_stays(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    shell(capsys, "inventory", spec, *store)
    first = shell(capsys, "baseline", spec, *store, "--only", "utilisation")[1]["evidence"]
    second = shell(capsys, "baseline", spec, *store)[1]["evidence"]
    assert (first[0][-6:], second[0][-6:]) == ("1.json", "2.json")
    files = sorted(each.parent.name for each in (tmp_path / "evidence").rglob("series-*/*.parquet"))
    assert [files.count(each) for each in sorted(set(files))] == [2, 2]


def test_an_attempt_that_was_killed_before_its_record_is_in_nobodys_way(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    shell(capsys, "inventory", spec, *store)

    async def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(api, "write_next", killed)
        assert heavylift(capsys, "baseline", str(spec), *store, "--json")[0] == 3
    assert len([*(tmp_path / "evidence").rglob("series-*/*.parquet")]) == 2
    status, document, _ = shell(capsys, "baseline", spec, *store)
    [record] = document["utilisation"]
    assert (status, record["with_values"]) == (0, 2)
    assert all((tmp_path / "evidence" / each["file"]["path"]).exists() for each in record["components"])


def test_the_whole_assessment_shows_it_and_the_gate_demands_it(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--evidence", (tmp_path / "evidence").as_uri())
    _, document, _ = shell(capsys, "assess", spec, *store)
    page = Path(document["report"].removeprefix("file://")).read_text()
    assert "What machines use today" in page
    assert "SageMaker publishes no use of notebook instances" in page
    [drawn] = [line for line in page.splitlines() if "Use of 4 resources" in line]
    # A gap breaks the line: two runs for each of the four.
    assert drawn.count('class="curve"') == 8


def test_what_may_not_be_read_is_told_and_is_no_success(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.platforms.aws.control import AwsControlPlane
    from heavylift.platforms.control import denied

    store = ("--evidence", (tmp_path / "evidence").as_uri())
    shell(capsys, "inventory", spec, *store)

    def refuse(self: Any, service: str, operation: str, *_: Any) -> Any:
        raise denied(f"{service}:{operation}", "AccessDenied", self.permission(service, operation))

    monkeypatch.setattr(AwsControlPlane, "call", refuse)
    status, document, _ = shell(capsys, "baseline", spec, *store)
    [record] = document["utilisation"]
    assert (status, record["complete"], record["with_values"]) == (1, False, 0)
    missing = [each for each in record["findings"] if each["rule"] == "permission_missing"]
    assert [each["permission"] for each in missing] == ["cloudwatch:GetMetricData"]
    assert missing[0]["components"] == 2


@pytest.mark.parametrize(
    ("words", "section", "code"),
    [
        ((), {"utilisation": None}, "HL-9409"),
        (("--only", "everything"), {}, "HL-9409"),
        (("--source-conn", "account"), {}, "HL-9409"),
        ((), {}, "HL-9410"),
    ],
)
def test_refused_before_anything_is_asked(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: Sequence[str], section: dict[str, Any], code: str,
) -> None:  # fmt: skip
    written(tmp_path, **section)
    (tmp_path / "evidence").mkdir()
    status, _, errors = shell(
        capsys, "baseline", spec, "--evidence", (tmp_path / "evidence").as_uri(), *words
    )
    assert status == 2
    assert code in errors


def test_rightsizing_reads_what_was_kept(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = (tmp_path / "evidence").as_uri()
    shell(capsys, "inventory", spec, "--evidence", store)
    record = shell(capsys, "baseline", spec, "--evidence", store)[1]["utilisation"][0]
    endpoint = next(each for each in record["components"] if each["name"] == "score")

    async def newest() -> Any:
        async with open_evidence(store, None) as opened:
            return await latest_use(opened, "used", endpoint["component"])

    kept = asyncio.run(newest())
    assert kept is not None
    assert kept.file.path == endpoint["file"]["path"]
    sizes = {
        "rightsizing": [
            {"name": "score", "component": endpoint["component"], "platform": "aws",
             "instance_type": "g4dn.xlarge", "least_days": 1,
             "columns": {"memory": "cpu", "gpu_memory": "gpu"}},
        ]
    }  # fmt: skip
    given = yaml.safe_load(spec.read_text()) | {"optimize": sizes}
    spec.write_text(yaml.safe_dump(given))
    status, document, errors = shell(capsys, "optimize", "rightsize", spec, "--evidence", store)
    assert status == 0, errors
    [result] = document["rightsizing"]
    assert result["verdict"] != "insufficient"
    assert result["used"]["gpu"] == pytest.approx(0.4)
