"""A small Kubernetes API of claims and Jobs, by its published schemas; it runs what Jobs say on demand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.schedule_servers import check_kubernetes
from tests.support.traffic_servers import Reply, TrafficServer

INCLUDE = str(Path(__file__).parents[2] / "include")
_ENDED = {"finishedAt": "2026-11-29T12:00:00Z"}


class JobCluster(TrafficServer):
    """One cluster.

    :ivar claims: ``namespace/name`` → the folder that stands for its volume.
    :ivar created: Jobs that were made, in their order.
    :ivar forbidden: a word of paths that the connection may not use.
    """

    def __init__(self, claims: dict[str, Path]) -> None:
        super().__init__()
        self.claims = claims
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.created: list[str] = []
        self.forbidden = ""

    @property
    def connection(self) -> dict[str, Any]:  # type: ignore[override]
        return {"conn_type": "kubernetes", "host": self.url}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        if self.forbidden and self.forbidden in path:
            return 403, {"reason": "Forbidden", "message": f"cannot {method} {self.forbidden}"}
        parts = path.split("/")
        namespace, kind = parts[parts.index("namespaces") + 1], parts[parts.index("namespaces") + 2]
        name = parts[-1] if parts[-1] != kind else ""
        if (method, kind) == ("POST", "jobs"):
            return self._create(namespace, body)
        assert method == "GET", "nothing else is ever asked for"
        if kind == "pods":
            job = query["labelSelector"].removeprefix("job-name=")
            return 200, {
                "items": [self.pods[f"{namespace}/{job}"]] if f"{namespace}/{job}" in self.pods else []
            }
        found = self.jobs if kind == "jobs" else {key: {"kind": kind} for key in self.claims}
        if f"{namespace}/{name}" not in found:
            return 404, {"reason": "NotFound", "message": f"{kind} {name}"}
        return 200, found[f"{namespace}/{name}"]

    def _create(self, namespace: str, body: Any) -> Reply:
        check_kubernetes(body)
        key = f"{namespace}/{body['metadata']['name']}"
        assert body["metadata"]["namespace"] == namespace
        if key in self.jobs:
            return 409, {"reason": "AlreadyExists", "message": key}
        self.jobs[key] = {**body, "status": {"active": 1}}
        self.created.append(key)
        return self.done(self.jobs[key], 201)

    def run_all(self, bucket: dict[str, Any], work: Path) -> None:
        """Run every Job that has not ended, with folders in the place of its mounts."""
        for key, job in self.jobs.items():
            if not job["status"].get("conditions"):
                self._run(key, job, bucket, work)

    def _run(self, key: str, job: dict[str, Any], bucket: dict[str, Any], work: Path) -> None:
        pod = job["spec"]["template"]["spec"]
        [container] = pod["containers"]
        [claim] = [
            each["persistentVolumeClaim"] for each in pod["volumes"] if "persistentVolumeClaim" in each
        ]
        folder = self.claims[f"{job['metadata']['namespace']}/{claim['claimName']}"]
        command = [each.replace("file:///volume/", f"{folder.as_uri()}/") for each in container["command"]]
        assert command[:3] == ["python", "-m", "heavylift"]
        given = {each["name"]: each.get("value", "") for each in container["env"]}
        given |= {"AIRFLOW_CONN_BUCKET": json.dumps(bucket), "HOME": str(work), "PATH": os.environ["PATH"]}
        work.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, *command[1:]], cwd=work,
            env={**given, "PYTHONPATH": INCLUDE}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            self.end(key, "Complete")
        else:
            self.end(key, "Failed", done.returncode, done.stderr)

    def end(self, key: str, kind: str, code: int = 0, log: str = "") -> None:
        """End a Job, as its cluster would tell."""
        self.jobs[key]["status"] = {
            "conditions": [{"type": kind, "status": "True", "reason": "BackoffLimitExceeded"}]
        }
        state = {"terminated": {"exitCode": code, "message": log[-2048:], **_ENDED}}
        self.pods[key] = {"status": {"containerStatuses": [{"name": "copy", "state": state}]}}
