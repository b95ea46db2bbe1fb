"""What SageMaker does with experiments and moto's server does not: it stands before moto and carries it out.

It holds each request to botocore's model, keeps tags, display names and descriptions of things that are made,
refuses names that are taken, and fails as it is told to.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from botocore import xform_name

from heavylift.connections import Connection
from tests.support.aws_json_server import model_of
from tests.support.model_packages import Account
from tests.support.stated_shapes import violations

Fault = Callable[[str, int], str]
"""From an operation and which one of its kind it is (from 1) to what becomes of it: ``throttled``,
``broken``, ``conflict``, ``unsent`` (hung up before), ``lost`` (carried out, and hung up), or nothing."""

_SORTS = {
    "Experiment": "experiment",
    "Trial": "experiment-trial",
    "TrialComponent": "experiment-trial-component",
}
_MOST_TAGS = 50
_ANSWERS = {
    "throttled": (400, "ThrottlingException", "Rate exceeded"),
    "broken": (500, "InternalFailure", "no"),
    "conflict": (400, "ConflictException", "it is being changed"),
    "full": (400, "ResourceLimitExceeded", "the account's quota is reached"),
    "denied": (400, "AccessDeniedException", "not authorized"),
    "unknown key": (400, "UnrecognizedClientException", "the security token is invalid"),
}


class RefusedError(Exception):
    """An error answer: code and message."""


@dataclass
class SageMakerFront:
    """Stands before moto's server until it is closed.

    :param asked: what changed something: operations with their arguments, in their order.
    :param seen: how many of each kind came.
    """

    account: Account
    fault: Fault = lambda _operation, _number: ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    trials_of: dict[str, set[str]] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def __enter__(self) -> SageMakerFront:
        self._lock = threading.Lock()
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, data = front._answer(self.command, self.path, raw, dict(self.headers.items()))
                if not status:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header(
                    "content-type", "application/x-amz-json-1.1" if data[:1] == b"{" else "text/xml"
                )
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def as_account(self) -> Account:
        """The account as whoever asks this server sees it."""
        return replace(self.account, endpoint=self.url)

    @property
    def connection(self) -> Connection:
        """The account's connection through this server, with the service of metrics if there is one."""
        found = self.as_account.connection
        return replace(found, extra={**found.extra, **self.metrics})

    def writes(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what changed something since the last time that this was asked."""
        with self._lock:
            found, self.asked = self.asked, []
        return found

    def _answer(self, method: str, path: str, raw: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        operation = headers.get("X-Amz-Target", headers.get("x-amz-target", "")).rpartition(".")[2]
        name = operation or f"{method} {path}"
        with self._lock:
            self.seen[name] += 1
            number = self.seen[name]
        fault = self.fault(name, number)
        if fault in _ANSWERS:
            status, code, message = _ANSWERS[fault]
            return status, json.dumps({"__type": code, "message": message}).encode()
        if fault == "unsent":
            return 0, b""
        status, data = self._carried_out(operation, method, path, raw, headers)
        return (0, b"") if fault == "lost" else (status, data)

    def _carried_out(
        self, operation: str, method: str, path: str, raw: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        act = getattr(self, f"_{xform_name(operation)}", None) if operation else None
        if not operation:
            return self._moto(method, path, raw, headers)
        body = json.loads(raw or b"{}")

        def moto(other: dict[str, Any] | None = None) -> dict[str, Any]:
            data = json.dumps(body if other is None else other).encode()
            code, answer = self._moto(method, path, data, headers)
            if code >= 500:
                raise RefusedError("InternalFailure", f"moto fails: {answer[:300]!r}")
            found: dict[str, Any] = json.loads(answer or b"{}")
            if code >= 400:
                raise RefusedError(found.get("__type", "ValidationException"), found.get("message", ""))
            return found

        try:
            shape = model_of("sagemaker").operation_model(operation).input_shape
            wrong = list(violations(shape, body, operation))
            if wrong:
                raise RefusedError("ValidationException", "; ".join(wrong))
            with self._lock:
                answer = act(body, moto) if act else moto()
                if not operation.startswith(("Describe", "List")):
                    self.asked.append((operation, body))
            return 200, json.dumps(answer).encode()
        except RefusedError as error:
            code, message = error.args
            return 400, json.dumps({"__type": code, "message": message}).encode()

    def _moto(self, method: str, path: str, raw: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        place = urlsplit(self.account.endpoint)
        upstream = HTTPConnection(str(place.hostname), place.port, timeout=60)
        kept = {
            key: value
            for key, value in headers.items()
            if key.lower() not in {"content-length", "connection"}
        }
        upstream.request(method, path, raw, kept)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        return answer.status, data

    def _made(self, sort: str, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        name = body[f"{sort}Name"]
        key = f"{_SORTS[sort]}/{name}".lower()
        if key in self.shown:
            raise RefusedError("ValidationException", f"{sort} with name ({name}) already exists.")
        answer: dict[str, Any] = moto({k: v for k, v in body.items() if k != "Tags"})
        self.shown[key] = {k: body[k] for k in ("DisplayName", "Description") if k in body}
        self._put(answer[f"{sort}Arn"], body.get("Tags") or [])
        return answer

    def _put(self, arn: str, tags: list[dict[str, str]]) -> None:
        held = self.tags.setdefault(arn, {})
        found = held | {each["Key"]: each["Value"] for each in tags}
        if len(found) > _MOST_TAGS or any(each.lower().startswith("aws:") for each in found):
            raise RefusedError("ValidationException", "too many tags, or one of AWS's own")
        held.update(found)

    def _create_experiment(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return self._made("Experiment", body, moto)

    def _create_trial(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        self.experiments[body["TrialName"]] = body["ExperimentName"]
        return self._made("Trial", body, moto)

    def _create_trial_component(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return self._made("TrialComponent", body, moto)

    def _described(self, sort: str, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return {**moto(), **self.shown.get(f"{_SORTS[sort]}/{body[f'{sort}Name']}".lower(), {})}

    def _describe_experiment(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return self._described("Experiment", body, moto)

    def _describe_trial(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return self._described("Trial", body, moto)

    def _updated(self, sort: str, body: dict[str, Any]) -> dict[str, Any]:
        name = body.pop(f"{sort}Name")
        self.shown[f"{_SORTS[sort]}/{name}".lower()].update(body)
        return {}

    def _update_experiment(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return self._updated("Experiment", dict(body))

    def _update_trial(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        return self._updated("Trial", dict(body))

    def _associate_trial_component(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        of = self.trials_of.setdefault(body["TrialComponentName"], set())
        if body["TrialName"] in of:
            return {}
        answer: dict[str, Any] = moto()
        of.add(body["TrialName"])
        return answer

    def _disassociate_trial_component(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        answer: dict[str, Any] = moto()
        self.trials_of.get(body["TrialComponentName"], set()).discard(body["TrialName"])
        return answer

    def _list_trial_components(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        answer: dict[str, Any] = moto({key: value for key, value in body.items() if key != "TrialName"})
        listed = answer["TrialComponentSummaries"]
        if "TrialName" in body:
            # moto knows the last trial of a component alone.
            listed = [each for each in listed if body["TrialName"] in self._trials(each)]
        if "ExperimentName" in body:
            of = [{self.experiments.get(trial) for trial in self._trials(each)} for each in listed]
            listed = [each for each, names in zip(listed, of, strict=True) if body["ExperimentName"] in names]
        return {**answer, "TrialComponentSummaries": listed}

    def _trials(self, summary: Mapping[str, Any]) -> set[str]:
        return self.trials_of.get(summary["TrialComponentName"], set())

    def _add_tags(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        arn = body["ResourceArn"]
        if arn not in self.tags:
            found: dict[str, Any] = moto()
            return found
        self._put(arn, body["Tags"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags[arn].items()]}

    def _delete_tags(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        arn = body["ResourceArn"]
        if arn not in self.tags:
            found: dict[str, Any] = moto()
            return found
        for key in body["TagKeys"]:
            self.tags[arn].pop(key, None)
        return {}

    def _list_tags(self, body: dict[str, Any], moto: Any) -> dict[str, Any]:
        arn = body["ResourceArn"]
        if arn not in self.tags:
            found: dict[str, Any] = moto()
            return found
        return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags[arn].items()]}
