"""A small DataSync: checks every request by botocore's model, and really copies.

moto answers the control calls of DataSync and copies nothing, and it knows locations of S3 only.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Read = Callable[[dict[str, Any], str], tuple[bytes, dict[str, Any]]]
"""From a location and a relative key to bytes and attributes; KeyError where there is no object."""
Write = Callable[[dict[str, Any], str, bytes, dict[str, Any]], bool]
"""Writes an object, create-only where the attributes say so; False where something is there."""

_ARN = "arn:aws:datasync:us-east-1:123456789012"


@dataclass
class DataSyncServer:
    """The service, on a port of its own.

    :param manifest: reads the list of keys at ``(bucket ARN, key)``.
    :param polls: how often an execution says that it runs before it does its work.
    """

    read: Read
    write: Write
    manifest: Callable[[str, str], str]
    polls: int = 0
    locations: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        import botocore.session

        self._model = botocore.session.get_session().get_service_model("datasync")
        self._made = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                operation = self.headers["x-amz-target"].rpartition(".")[2]
                status, body = outer.answer(operation, json.loads(raw))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._lock = threading.Lock()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one request; one that is not of the model's form is refused and noted."""
        from botocore.validate import ParamValidator

        report = ParamValidator().validate(body, self._model.operation_model(operation).input_shape)
        with self._lock:
            if report.has_errors():
                self.rejected.append(f"{operation}: {report.generate_report()}")
                return _error(report.generate_report())
            self.requests.append((operation, body))
            if operation.startswith("CreateLocation"):
                self._made += 1
                arn = f"{_ARN}:location/loc-{self._made:017d}"
                self.locations[arn] = {"kind": operation.removeprefix("CreateLocation"), **body}
                return 200, {"LocationArn": arn}
            return getattr(self, f"_{operation}")(body)  # type: ignore[no-any-return]

    def _CreateTask(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        for end in ("SourceLocationArn", "DestinationLocationArn"):
            if body[end] not in self.locations:
                return _error(f"no location {body[end]}")
        kinds = {self.locations[body[end]]["kind"] for end in ("SourceLocationArn", "DestinationLocationArn")}
        if kinds != {"S3"} and body["Options"].get("ObjectTags", "PRESERVE") == "PRESERVE":
            return _error("object tags cannot be preserved between these locations")
        self._made += 1
        arn = f"{_ARN}:task/task-{self._made:017d}"
        self.tasks[arn] = body
        return 200, {"TaskArn": arn}

    def _ListTasks(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        # One task a page, so that a client that reads only the first is found out.
        names = list(self.tasks)
        number = int(body.get("NextToken") or 0)
        page = [{"TaskArn": arn, "Name": self.tasks[arn].get("Name")} for arn in names[number : number + 1]]
        more = {"NextToken": str(number + 1)} if number + 1 < len(names) else {}
        return 200, {"Tasks": page, **more}

    def _DescribeTask(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        arn = body["TaskArn"]
        if arn not in self.tasks:
            return _error("task not found")
        latest = [name for name in self.executions if name.startswith(arn)][-1:]
        current = {"CurrentTaskExecutionArn": latest[0]} if latest else {}
        return 200, {"TaskArn": arn, **self.tasks[arn], **current}

    def _StartTaskExecution(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        task = body["TaskArn"]
        for name, execution in self.executions.items():
            if name.startswith(task) and execution["Status"] not in {"SUCCESS", "ERROR"}:
                return _error("the task already runs")
        arn = f"{task}/execution/exec-{len(self.executions):017d}"
        self.executions[arn] = {"Status": "LAUNCHING", "polls": self.polls}
        return 200, {"TaskExecutionArn": arn}

    def _DescribeTaskExecution(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        arn = body["TaskExecutionArn"]
        if arn not in self.executions:
            return _error("execution not found")
        execution = self.executions[arn]
        if execution["Status"] == "LAUNCHING":
            if execution["polls"]:
                execution["polls"] -= 1
            else:
                self._work(arn)
        shown = {key: value for key, value in execution.items() if key != "polls"}
        return 200, {"TaskExecutionArn": arn, **shown}

    def _CancelTaskExecution(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        result = {"ErrorCode": "Cancelled", "ErrorDetail": "cancelled by test"}
        self.executions[body["TaskExecutionArn"]] |= {"Status": "ERROR", "Result": result}
        return 200, {}

    def _DeleteTask(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        self.tasks.pop(body["TaskArn"], None)
        return 200, {}

    def _DeleteLocation(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        self.locations.pop(body["LocationArn"], None)
        return 200, {}

    def _work(self, arn: str) -> None:
        task = self.tasks[arn.partition("/execution")[0]]
        source = self.locations[task["SourceLocationArn"]]
        target = self.locations[task["DestinationLocationArn"]]
        options, place = task["Options"], task["ManifestConfig"]["Source"]["S3"]
        rows = csv.reader(io.StringIO(self.manifest(place["S3BucketArn"], place["ManifestObjectPath"])))
        done = {"FilesTransferred": 0, "FilesSkipped": 0, "BytesTransferred": 0}
        failed = 0
        for [rel] in rows:
            try:
                body, attributes = self.read(source, rel)
            except KeyError:
                failed += 1
                continue
            if options["ObjectTags"] == "NONE":
                attributes.pop("Tagging", None)
            if options["OverwriteMode"] == "NEVER":
                attributes["IfNoneMatch"] = "*"
            if self.write(target, rel, body, attributes):
                done["FilesTransferred"] += 1
                done["BytesTransferred"] += len(body)
            else:
                done["FilesSkipped"] += 1
        self.executions[arn] |= {"Status": "ERROR" if failed else "SUCCESS", **done}
        if failed:
            self.executions[arn] |= {
                "FilesFailed": {"Transfer": failed},
                "Result": {"ErrorCode": "NotFound", "ErrorDetail": f"{failed} objects are gone"},
            }


def _error(message: str) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": "InvalidRequestException", "message": message}
