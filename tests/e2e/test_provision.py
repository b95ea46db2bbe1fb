"""The phase provision in a real scheduler: terraform, checkov, images, translations, and kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from heavylift.infra.generate import generate
from heavylift.spec import Phase, load_spec
from sandbox.demo_airflow import AirflowClient
from sandbox.demo_results import verify_audit
from sandbox.examples import account
from sandbox.stack import Stack
from sandbox.terraform.rig import Rig, checkov, make_rig
from sandbox.waiting import until
from tests.e2e.journey import Journey, Run
from tests.support.canary import Canary
from tests.support.everywhere import SeenArguments, dump_all
from tests.support.handed_over import ALERTS, AUTOSCALING, TRAINING, lay_out_jobs
from tests.support.infra_samples import everything, sampled, wanted
from tests.support.made_images import demand_whole, image, push
from tests.support.oci_server import PAIR, OciServer
from tests.support.secret_manager_server import SecretManagerServer
from tests.support.terraform_work import at_work

pytestmark = pytest.mark.long

MIGRATION = "provisioned"
CANARY = Canary(plain=True)
SECRET, PASSWORD, VARIABLE = Canary(plain=True), Canary(plain=True), Canary(plain=True)
"""What moves from store to store, a connection's password, a variable of the source's container."""
CANARIES = {"key": CANARY, "secret": SECRET, "password": PASSWORD, "variable": VARIABLE}
IMAGES = {name: image([b"shared", name.encode()]) for name in ("trainer", "scorer")}
PATIENCE = 300.0


@dataclass
class Site:
    """Airflow, an account to move, a cloud of files that terraform works on, and two registries."""

    stack: Stack
    journey: Journey
    rig: Rig
    source: OciServer
    target: OciServer
    folder: Path
    vault: SecretManagerServer
    arguments: SeenArguments


@pytest.fixture(scope="module")
def site(repository: Path) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="hl-prov-"))
    specs = folder / "specs"
    specs.mkdir()
    source, target, vault = OciServer(), OciServer(basic=True), SecretManagerServer()
    for name, made in IMAGES.items():
        push(source, f"ml/{name}", made, "1")
    rig = make_rig(folder / "rig", google_types())
    spec = write_spec(repository, specs, folder, source, target)
    stack = Stack.start(
        folder / "state",
        ("aws_control",),
        airflow=True,
        airflow_settings={
            "HEAVYLIFT_MIGRATIONS": str(specs),
            "HEAVYLIFT_CHECKOV": str(checkov()),
            "TF_CLI_CONFIG_FILE": str(rig.config),
            **{
                f"AIRFLOW_CONN_{name}": json.dumps(given)
                for name, given in connections(source, target, vault)
            },
        },
    )
    try:
        account.seed(stack.env)
        plant(stack.env)
        assert stack.airflow_url is not None
        assert stack.airflow_login is not None
        client = AirflowClient(stack.airflow_url, *stack.airflow_login)
        with SeenArguments(CANARIES) as seen:
            journey = Journey(stack, client, load_spec(spec))
            yield Site(stack, journey, rig, source, target, folder, vault, seen)
    finally:
        stack.stop()
        vault.close()
        source.close()
        target.close()
        shutil.rmtree(folder)


def google_types() -> list[str]:
    """Return the types that anything can become on Google Cloud: a provider of all starts slowly."""
    made = generate(wanted("aws", "gcp", [*everything(), *sampled("aws")]))
    return re.findall(r'^resource "(\w+)"', "\n".join(made.files.values()), re.MULTILINE)


def plant(env: Mapping[str, str]) -> None:
    """Lay a secret into the source's store, and a variable with one into the container that serves."""
    connection = json.loads(env["AIRFLOW_CONN_AWS_CONTROL"])
    given = {
        "endpoint_url": connection["extra"]["endpoint_url"], "region_name": account.REGION,
        "aws_access_key_id": connection["login"], "aws_secret_access_key": connection["password"],
    }  # fmt: skip
    # Secrets are listed in the region of the connection; the workload that is assessed lies in another.
    where = {**given, "region_name": connection["extra"].get("region_name", "us-east-1")}
    boto3.client("secretsmanager", **where).create_secret(Name="canary/db", SecretString=SECRET.value)
    sagemaker = boto3.client("sagemaker", **given)
    model = sagemaker.describe_model(ModelName="fraud")
    container = model["PrimaryContainer"]
    container["Environment"]["DB_PASSWORD"] = VARIABLE.value
    sagemaker.delete_model(ModelName="fraud")
    sagemaker.create_model(
        ModelName="fraud", PrimaryContainer=container, ExecutionRoleArn=model["ExecutionRoleArn"]
    )


def connections(
    source: OciServer, target: OciServer, vault: SecretManagerServer
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, server in (("IMAGES_HERE", source), ("IMAGES_THERE", target)):
        yield name, {"conn_type": "docker", "host": server.url, "login": PAIR[0], "password": PAIR[1]}
    key = {"keyfile_dict": {"private_key": CANARY.value}}
    yield "GOOGLE_THERE", {"conn_type": "google_cloud_platform", "extra": key}
    store = {"conn_type": "google_cloud_platform", "login": "x", "password": PASSWORD.value}
    yield "VAULT_THERE", {**store, "extra": {**vault.extra, "note": PASSWORD.value}}


def write_spec(repository: Path, specs: Path, folder: Path, source: OciServer, target: OciServer) -> Path:
    """Write a migration of everything that the phase provision makes."""
    text = (repository / "include" / "migrations" / "fraud-scoring.yaml").read_text()
    example = yaml.safe_load(text)
    assess = {name: value for name, value in example["assess"].items() if name != "also"}
    spec = {
        "apiVersion": "heavylift/v1", "migration": MIGRATION, "owner": "e2e",
        "source": {"platform": "aws", "connection": "aws_control"},
        "target": {"platform": "gcp", "connection": "google_there", "region": "europe-west4"},
        "defaults": {"retries": 2, "retry_delay": "1s", "max_retry_delay": "2s"},
        "assess": assess,
        "infrastructure": {
            "state": (folder / "states").as_uri(),
            "variables": {
                "project": "demo-project", "project_number": "1", "key_expires": "2030-01-01T00:00:00Z",
                "fraud_latency_7946ee_filter": "metric.type=\"aiplatform.googleapis.com/prediction/latency\"",
            },
            "accept_untranslated": [{"component": "*", "reason": "made by others"}],
        },
        "containers": {
            "source": f"{source.host}/ml", "target": f"{target.host}/moved",
            "source_connection": "images_here", "target_connection": "images_there",
        },
        "secrets": {"include": ["canary/*"], "target_connection": "vault_there"},
        "training": TRAINING, "autoscaling": AUTOSCALING, "alerts": ALERTS,
    }  # fmt: skip
    lay_out_jobs(specs)
    path = specs / f"{MIGRATION}.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def assessed(journey: Journey) -> None:
    run = journey.start(Phase.ASSESS)
    run.answer("Approve")
    assert run.end() == "success", run.trouble()


def approve(run: Run, task_id: str) -> None:
    """Approve what a task asks, once it does, and wait until it has taken the answer."""
    try:
        task = run.answer_one(task_id, -1, "Approve", {})
    except AssertionError as error:
        raise AssertionError(f"{error} {run.trouble()}") from None
    assert task.state == "success", run.trouble()


def test_everything_is_made_although_a_task_is_killed_in_the_midst_of_terraform(site: Site) -> None:
    journey = site.journey
    assessed(journey)
    door = site.folder / "hold"
    door.touch()
    site.rig.set(hold={"google_compute_subnetwork": str(door)})
    run = journey.start(Phase.PROVISION)
    first = "first_stage.gate_infrastructure-approved-first.approve"
    approve(run, first)
    working = until(at_work, seconds=PATIENCE)
    assert working is not None
    assert until(lambda: bool(site.rig.objects()), seconds=PATIENCE)
    os.kill(working.worker, signal.SIGKILL)
    assert until(lambda: working.interrupted, seconds=PATIENCE)
    door.unlink()
    assert until(lambda: working.ended, seconds=PATIENCE)
    site.rig.set(hold={})
    made = Counter(site.rig.objects())
    second = "second_stage.gate_infrastructure-approved-second.approve"
    if rest_of(site):
        # Nothing else than what was approved is applied: the task fails, and its plan has to be made anew.
        assert run.end() == "failed", run.states()
        assert run.states()["first_stage.apply"] == "failed", (run.states(), run.trouble())
        journey.client.clear(run.dag_id, run.run_id, "first_stage.plan")
        approve(run, first)
    approve(run, second)
    assert run.end() == "success", run.trouble()
    assert made - Counter(site.rig.objects()) == Counter(), "what was made is there still"
    assert Counter(site.rig.objects()) == known(site), "each thing is there once, and known"
    for name, given in IMAGES.items():
        demand_whole(site.target, f"moved/{name}", given, "1")
    for part in ("training", "autoscaling", "alerts"):
        assert run.states()[f"{part}.translate_{part}"] == "success"
    assert asyncio.run(verify_audit(journey.spec, journey.stack.env)).problems == ()


def rest_of(site: Site) -> bool:
    """Whether the first stage had more to make when its worker was killed."""
    [path] = (site.folder / "state" / "evidence").rglob("~infra/plan-first-1.json")
    wanted_ = json.loads(path.read_text())["roots"][0]["counts"]["create"]
    return sum(known(site).values()) < int(wanted_)


def known(site: Site) -> Counter[str]:
    """Return the types of all resources in the states."""
    found: Counter[str] = Counter()
    for path in (site.folder / "states").rglob("*.tfstate"):
        for each in json.loads(path.read_text())["resources"]:
            if each["mode"] == "managed":
                found[each["type"]] += len(each["instances"])
    return found


def test_a_second_run_changes_nothing_and_one_that_destroys_leaves_nothing(site: Site) -> None:
    before = site.rig.objects()
    run = site.journey.start(Phase.PROVISION)
    assert run.end() == "success", run.trouble()
    assert site.rig.objects() == before
    run = site.journey.start(Phase.PROVISION, destroy=True)
    for stage in ("first", "second"):
        approve(run, f"{stage}_stage.gate_infrastructure-approved-{stage}.approve")
    assert run.end() == "success", run.trouble()
    assert site.rig.objects() == []


def test_a_secret_stands_in_its_stores_and_nowhere_else(site: Site) -> None:
    """After whole runs: in no file, log, evidence, state, plan, row of Airflow's or argument of a process."""
    assert [SECRET.value.encode()] in site.vault.versions.values(), (
        list(site.vault.versions),
        "it has moved",
    )
    assert site.stack.airflow_database is not None
    dump = site.folder / "database.txt"
    tables = dump_all(site.stack.airflow_database, dump)
    assert {"xcom", "log", "rendered_task_instance_fields", "dag_run", "connection"} <= tables
    assert "copy_secrets" in dump.read_text()
    places = [each for each in site.folder.rglob("*") if each.is_file() and not belongs(site, each)]
    assert any(each.name == "plan-first-1.json" for each in places)
    found = {name: canary.in_files(places) for name, canary in CANARIES.items()}
    assert not any(found.values()), found
    assert site.arguments.looked > 100, "processes were looked at all the time"
    assert not site.arguments.found, site.arguments.found


def belongs(site: Site, path: Path) -> bool:
    """Tell whether a file is where connections are kept: what the sandbox starts Airflow's processes with."""
    return path.parent == site.folder / "state" / "run" and path.suffix == ".json"


def evidence_and_logs(site: Site) -> list[Path]:
    found = [
        path for path in (site.folder / "state").iterdir() if path.name in {"evidence", "airflow", "logs"}
    ]
    assert found, list((site.folder / "state").iterdir())
    return found
