"""A small Storage Transfer Service: checks every request by the discovery document, and really copies.

It keeps what the service is documented to keep (content headers, user metadata) and loses what it
is documented to lose (tags), and it adds the source's ETag to the metadata.
"""

from __future__ import annotations

import csv
import io
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.discovery import BadRequestError, camel, load

Reader = Callable[[dict[str, Any], str], tuple[bytes, dict[str, Any]]]
"""From a data source of a job and a key to the bytes and the attributes of the object."""


@dataclass
class TransferServer:
    """The service, on a port of its own.

    :param gcs: the address of the Cloud Storage server it writes to.
    :param read: reads an object of a job's source; raises KeyError where there is none.
    :param polls: how often an operation says that it runs before it does its work.
    :param refuse: keys that fail, with the error code that is told.
    :param forget: keys that are left out without a word.
    """

    gcs: str
    read: Reader
    polls: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    forget: set[str] = field(default_factory=set)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    down: int = 0

    def __post_init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                raw = self.rfile.read(length)
                status, body = outer.answer(self.command, self.path, json.loads(raw) if raw else None)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

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

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request; one that is not of the published form is refused and noted."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        path = split.path.removeprefix("/")
        body = camel(body)
        with self._lock:
            if self.down:
                self.down -= 1
                return 503, _error("UNAVAILABLE", "down for a while")
            document = load("storagetransfer.v1")
            method = document.find(http, path)
            if method is None:
                self.rejected.append(f"{http} {path}")
                return 404, _error("NOT_FOUND", "no such method")
            try:
                document.check(method, query, body)
            except BadRequestError as error:
                self.rejected.append(f"{method.id}: {error}")
                return 400, _error("INVALID_ARGUMENT", str(error))
            self.requests.append((method.id, body))
            name = path.removeprefix("v1/").partition(":")[0]
            return self._act(method.id.removeprefix("storagetransfer."), name, body)

    def _act(self, method: str, name: str, body: Any) -> tuple[int, dict[str, Any]]:
        if method == "transferJobs.create":
            return self._create(body)
        if method == "transferJobs.get":
            return (200, _shown(self.jobs[name])) if name in self.jobs else (404, _error("NOT_FOUND", name))
        if method == "transferJobs.patch":
            self.jobs[name] |= body["transferJob"]
            return 200, _shown(self.jobs[name])
        if method == "transferJobs.run":
            return self._run(name)
        if name not in self.operations:
            return 404, _error("NOT_FOUND", name)
        if method == "transferOperations.cancel":
            self._end(name, "ABORTED", {}, [])
            return 200, {}
        return 200, self._look(name)

    def _create(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = body.get("name", "")
        if body.get("status") != "ENABLED" or not body.get("projectId"):
            return 400, _error("INVALID_ARGUMENT", "status and projectId are required")
        if not name.startswith("transferJobs/") or not name[-1].isalnum() or len(name) > 128:
            return 400, _error("INVALID_ARGUMENT", f"the name {name}")
        for side in ("gcsDataSink", "awsS3DataSource", "azureBlobStorageDataSource", "gcsDataSource"):
            path = body["transferSpec"].get(side, {}).get("path", "")
            if path and not path.endswith("/"):
                return 400, _error("INVALID_ARGUMENT", f"{side}.path must end with '/'")
        if name in self.jobs:
            return 409, _error("ALREADY_EXISTS", name)
        self.jobs[name] = body
        return 200, _shown(body)

    def _run(self, name: str) -> tuple[int, dict[str, Any]]:
        job = self.jobs[name]
        latest = self.operations.get(job.get("latestOperationName", ""))
        if latest and not latest["done"]:
            return 400, _error("FAILED_PRECONDITION", "an operation of this job is active")
        operation = f"transferOperations/{name.partition('/')[2]}-{len(self.operations)}"
        job["latestOperationName"] = operation
        self.operations[operation] = {
            "name": operation,
            "done": False,
            "metadata": {"name": operation, "transferJobName": name, "status": "IN_PROGRESS"},
            "polls": self.polls,
        }
        return 200, {"name": operation, "done": False}

    def _look(self, name: str) -> dict[str, Any]:
        operation = self.operations[name]
        if not operation["done"]:
            if operation["polls"]:
                operation["polls"] -= 1
            else:
                self._work(name)
        return {key: value for key, value in operation.items() if key != "polls"}

    def _end(self, name: str, status: str, counters: dict[str, int], errors: list[dict[str, Any]]) -> None:
        operation = self.operations[name]
        if operation["done"]:
            return
        operation["done"] = True
        operation["metadata"] |= {
            "status": status,
            "counters": {key: str(value) for key, value in counters.items()},
            "errorBreakdowns": errors,
        }

    def _work(self, name: str) -> None:
        spec = self.jobs[self.operations[name]["metadata"]["transferJobName"]]["transferSpec"]
        source = next(spec[key] for key in spec if key.endswith("DataSource"))
        sink, counters, errors = spec["gcsDataSink"], dict[str, int](), list[dict[str, Any]]()
        overwrite = spec["transferOptions"]["overwriteWhen"]

        def count(objects: str, size: str, amount: int) -> None:
            counters[objects] = counters.get(objects, 0) + 1
            counters[size] = counters.get(size, 0) + amount

        for rel in self._manifest(spec["transferManifest"]["location"]):
            if rel in self.forget:
                continue
            code = self.refuse.get(rel)
            try:
                body, attributes = self.read(source, source.get("path", "") + rel)
            except KeyError:
                code = "NOT_FOUND"
            if code:
                errors.append(
                    {
                        "errorCode": code,
                        "errorCount": "1",
                        "errorLogEntries": [{"url": rel, "errorDetails": [f"{code} by test"]}],
                    }
                )
                count("objectsFromSourceFailed", "bytesFromSourceFailed", 0)
                continue
            written = self._write(sink, rel, body, attributes, create_only=overwrite == "NEVER")
            if written:
                count("objectsCopiedToSink", "bytesCopiedToSink", len(body))
            else:
                count("objectsFromSourceSkippedBySync", "bytesFromSourceSkippedBySync", len(body))
        self._end(name, "FAILED" if errors else "SUCCESS", counters, errors)

    def _manifest(self, location: str) -> list[str]:
        bucket, _, key = location.removeprefix("gs://").partition("/")
        url = f"{self.gcs}/storage/v1/b/{bucket}/o/{urllib.parse.quote(key, safe='')}?alt=media"
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
        return [row[0] for row in csv.reader(io.StringIO(text, newline=""))]

    def _write(
        self, sink: dict[str, Any], rel: str, body: bytes, attributes: dict[str, Any], *, create_only: bool
    ) -> bool:
        resource = {**attributes, "name": sink.get("path", "") + rel}
        boundary = b"heavylift-boundary"
        parts = [
            b"content-type: application/json\r\n\r\n" + json.dumps(resource).encode(),
            f"content-type: {attributes.get('contentType') or 'application/octet-stream'}\r\n\r\n".encode()
            + body,
        ]
        data = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
        query = "uploadType=multipart" + ("&ifGenerationMatch=0" if create_only else "")
        request = urllib.request.Request(
            f"{self.gcs}/upload/storage/v1/b/{sink['bucketName']}/o?{query}",
            data + b"--" + boundary + b"--\r\n",
            {"content-type": "multipart/related; boundary=heavylift-boundary"},
        )
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as error:
            if error.code == 412:
                return False
            raise
        return True


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    """Return the job as the service tells it: without the secret."""
    shown: dict[str, Any] = json.loads(json.dumps(job))
    shown["transferSpec"].get("awsS3DataSource", {}).pop("awsAccessKey", None)
    return shown


def _error(status: str, message: str) -> dict[str, Any]:
    return {"error": {"status": status, "message": message}}
