"""Small servers of what starts runs; each checks every request by its vendor's published shapes.

Each holds one schedule, held until somebody lets it run, and tells which writes it has carried out.
"""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import jsonschema
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.traffic_moto import MotoSide
from tests.support.traffic_servers import DATA, Reply, TrafficServer

RAN = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
"""When each schedule ran last, where it tells that."""
NAME = "nightly"


class AirflowServer(TrafficServer):
    """Airflow's REST API, by the document that its package ships."""

    id = NAME
    adapter = "airflow"

    def __init__(self) -> None:
        super().__init__()
        self.paused = True
        self.variables: dict[str, str] = {}
        self.started: list[str] = []
        self.logins = 0

    @property
    def connection(self) -> Connection:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return Connection("airflow_old", "http", host=host, port=int(port), login="mary", password="secret")

    @property
    def enabled(self) -> bool:
        return not self.paused

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        if path == "auth/token":
            self.logins += 1
            right = body == {"username": "mary", "password": "secret"}
            return (201, {"access_token": "t"}) if right else (401, {"detail": "no"})
        found = check_airflow(method, f"/{path}", query, body)
        name = unquote(path.rpartition("/")[2])
        if found == "/api/v2/variables":
            return self._variable(body["key"], body["value"], made=True)
        if found == "/api/v2/variables/{variable_key}":
            if name not in self.variables:
                return 404, {"detail": "no such variable"}
            if method == "PATCH":
                return self._variable(name, body["value"], made=False)
            return 200, {"key": name, "value": self.variables[name], "is_encrypted": True}
        if path.split("/")[3] != NAME:
            return 404, {"detail": "no such DAG"}
        return self._runs(method, query, body) if found.endswith("dagRuns") else self._dag(method, body)

    def _variable(self, key: str, value: str, *, made: bool) -> Reply:
        if made and key in self.variables:
            return 409, {"detail": "it is there"}
        self.variables[key] = value
        return self.done({"key": key, "value": value}, 201 if made else 200)

    def _dag(self, method: str, body: Any) -> Reply:
        if method == "PATCH":
            self.paused = body["is_paused"]
            return self.done({"dag_id": NAME, "is_paused": self.paused})
        return 200, {"dag_id": NAME, "is_paused": self.paused}

    def _runs(self, method: str, query: dict[str, str], body: Any) -> Reply:
        if method == "POST":
            if body["dag_run_id"] in self.started:
                return 409, {"detail": "it is there"}
            self.started.append(body["dag_run_id"])
            return self.done({"dag_run_id": body["dag_run_id"]})
        if query.get("state") == "running":
            return 200, {"dag_runs": [{"dag_run_id": "x"}], "total_entries": 2}
        run = {"dag_run_id": "scheduled__x", "run_after": "2026-11-29T02:00:00Z", "logical_date": None}
        return 200, {"dag_runs": [run], "total_entries": 40}


@cache
def airflow_document() -> dict[str, Any]:
    """Return Airflow's published description of its REST API."""
    path = files("airflow.api_fastapi.core_api.openapi").joinpath("v2-rest-api-generated.yaml")
    document: dict[str, Any] = yaml.load(
        path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return document


def check_airflow(method: str, path: str, query: dict[str, str], body: Any) -> str:
    """Return the path of the document that a request is for.

    :raises BadRequestError: the document has no such path, or no such parameter.
    """
    document = airflow_document()
    for template, methods in document["paths"].items():
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template))
        described = methods.get(method.lower())
        if described is None or not re.fullmatch(pattern, path):
            continue
        known = {each["name"] for each in described.get("parameters", ())}
        if set(query) - known:
            raise BadRequestError(f"unknown parameters {sorted(set(query) - known)}")
        if body is not None:
            schema = described["requestBody"]["content"]["application/json"]["schema"]
            jsonschema.validate(body, {**schema, "components": document["components"]})
        return str(template)
    raise BadRequestError(f"no path for {method} {path}")


class CloudSchedulerServer(TrafficServer):
    """Cloud Scheduler, by its discovery document."""

    id = f"europe-west1/{NAME}"
    adapter = "cloud_scheduler"

    def __init__(self) -> None:
        super().__init__()
        self.job: dict[str, Any] = {
            "name": f"projects/p/locations/europe-west1/jobs/{NAME}",
            "description": "Nightly training",
            "schedule": "0 2 * * *",
            "state": "PAUSED",
            "lastAttemptTime": "2026-11-29T02:00:00Z",
        }
        self.started: list[str] = []

    @property
    def connection(self) -> Connection:
        extra = {"project": "p", "endpoint_url": self.url, "anonymous": True}
        return Connection("scheduler", "google_cloud_platform", extra=extra)

    @property
    def enabled(self) -> bool:
        return bool(self.job["state"] == "ENABLED")

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        document = load("cloudscheduler.v1")
        found = document.find(method, path)
        if found is None:
            raise BadRequestError(f"no method {method} {path}")
        document.check(found, query, body)
        if path.partition(":")[0].rpartition("/")[2] != NAME:
            return 404, {"error": {"status": "NOT_FOUND", "message": path}}
        act = found.id.rpartition(".")[2]
        if act == "get":
            return 200, self.job
        if act == "patch":
            self.job |= {name: body[name] for name in query["updateMask"].split(",")}
        elif act == "run":
            self.started.append("run")
            self.job["lastAttemptTime"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        else:
            self.job["state"] = {"pause": "PAUSED", "resume": "ENABLED"}[act]
        return self.done(self.job)


@cache
def kubernetes_shapes() -> tuple[Registry[Any], dict[str, str]]:
    """Return Kubernetes' published schema, cut down, and the names of kinds in it."""
    with gzip.open(DATA / "kubernetes-shapes.json.gz") as packed:
        shapes = json.load(packed)
    registry: Registry[Any] = Registry()
    return registry.with_resource("urn:k", DRAFT202012.create_resource(shapes)), shapes["kinds"]


def check_kubernetes(body: Any) -> None:
    """Validate a Job or a CronJob.

    :raises jsonschema.ValidationError: it is none.
    """
    shared, kinds = kubernetes_shapes()
    kind = kinds["batch/v1/" + body["kind"]]
    schema = {"$ref": f"urn:k#/definitions/{kind}"}
    Draft202012Validator(schema, registry=shared).validate(body)


class CronJobServer(TrafficServer):
    """A CronJob of a cluster, and the Jobs that are made of it, by Kubernetes' published schema."""

    id = f"fraud/{NAME}"
    adapter = "cronjob"

    def __init__(self) -> None:
        super().__init__()
        container = {"name": "train", "image": "registry.example/train:1"}
        template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
        job = {"metadata": {"labels": {"app": "train"}}, "spec": {"template": template}}
        self.job: dict[str, Any] = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {
                "name": NAME,
                "namespace": "fraud",
                "resourceVersion": "1",
                "annotations": {"team": "fraud"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"schedule": "0 2 * * *", "suspend": True, "jobTemplate": job},
            "status": {"lastScheduleTime": "2026-11-29T02:00:00Z", "active": [{"name": "x"}, {"name": "y"}]},
        }
        self.started: list[str] = []

    @property
    def connection(self) -> Connection:
        return Connection("cluster", "kubernetes", host=self.url)

    @property
    def enabled(self) -> bool:
        return not self.job["spec"]["suspend"]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        del query
        batch = "apis/batch/v1/namespaces/fraud"
        if (method, path) == ("POST", f"{batch}/jobs"):
            return self._start(body)
        if path != f"{batch}/cronjobs/{NAME}":
            return 404, {"reason": "NotFound", "message": path}
        if method == "GET":
            return 200, self.job
        if method != "PUT":
            raise BadRequestError(f"{method} is not expected")
        check_kubernetes(body)
        meta = self.job["metadata"]
        if body["metadata"].get("resourceVersion") != meta["resourceVersion"]:
            return 409, {"reason": "Conflict", "message": "the object has been modified"}
        if body["spec"]["jobTemplate"] != self.job["spec"]["jobTemplate"] or "status" in body:
            raise BadRequestError("more than suspend was to be changed")
        version = str(int(meta["resourceVersion"]) + 1)
        metadata = {**body["metadata"], "resourceVersion": version}
        self.job = {**body, "metadata": metadata, "status": self.job["status"]}
        return self.done(self.job)

    def _start(self, body: Any) -> Reply:
        name = body["metadata"]["name"]
        if body["spec"] != self.job["spec"]["jobTemplate"]["spec"] or not re.fullmatch(
            "[a-z0-9-]{1,63}", name
        ):
            raise BadRequestError("not a Job of the CronJob")
        if name in self.started:
            return 409, {"reason": "AlreadyExists", "message": name}
        self.started.append(name)
        return self.done(body, 201)


class MotoScheduler(MotoSide):
    """A schedule of EventBridge Scheduler, as moto plays it: it keeps it, and fires nothing."""

    id = f"training/{NAME}"
    adapter = "eventbridge_scheduler"

    def __init__(self) -> None:
        super().__init__()
        client = self.client("scheduler")
        client.create_schedule_group(Name="training")
        client.create_schedule(
            Name=NAME,
            GroupName="training",
            Description="Nightly training",
            ScheduleExpression="cron(0 2 * * ? *)",
            ScheduleExpressionTimezone="Europe/Berlin",
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
            State="DISABLED",
            Target={
                "Arn": "arn:aws:sqs:us-east-1:123456789012:train",
                "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
                "Input": json.dumps({"job": "train"}),
            },
        )

    @property
    def connection(self) -> Connection:
        return self.made()

    @property
    def schedule(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("scheduler").get_schedule(Name=NAME, GroupName="training")
        return found

    @property
    def enabled(self) -> bool:
        return bool(self.schedule["State"] == "ENABLED")

    @property
    def started(self) -> list[str]:
        listed = self.client("scheduler").list_schedules(GroupName="training")["Schedules"]
        return [each["Name"] for each in listed if each["Name"] != NAME]


class MotoRule(MotoSide):
    """A rule of EventBridge with a schedule, as moto plays it."""

    id = f"default/{NAME}"
    adapter = "eventbridge_rule"

    def __init__(self) -> None:
        super().__init__()
        self.client("events").put_rule(Name=NAME, ScheduleExpression="cron(0 2 * * ? *)", State="DISABLED")
        self.client("events").put_rule(Name="of-events", EventPattern='{"source": ["aws.ec2"]}')

    @property
    def connection(self) -> Connection:
        return self.made()

    @property
    def enabled(self) -> bool:
        return bool(self.client("events").describe_rule(Name=NAME)["State"] == "ENABLED")

    @property
    def started(self) -> list[str]:
        return []
