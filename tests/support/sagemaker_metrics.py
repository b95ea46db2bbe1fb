"""A small ``sagemaker-metrics`` that takes and tells points, which moto only takes; by botocore's model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.support.aws_json_server import check, model_of
from tests.support.json_server import JsonServer
from tests.support.model_packages import Account
from tests.support.stated_shapes import violations

_SERVICE = "sagemaker-metrics"
MOST = 3
"""So many points an answer has for each query; the real service has more."""

Points = list[tuple[int | None, int, float]]
"""Step, if it has one; time in seconds; value."""


@dataclass
class MetricsService:
    """Serves points until it is closed.

    :param refuses: an error code, with which it answers everything.
    :param errors: codes with which the next points are refused, one for each request, the first point of it.
    :param asked: questions that it answered.
    :param then: called with how many requests with points were carried out; tells whether the answer is lost.
    :param put: points that it took, in the order in which they came, with their component.
    """

    account: Account
    refuses: str = ""
    points: dict[tuple[str, str], Points] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    then: Callable[[int], bool] = lambda _number: False
    taken: int = 0
    asked: list[Any] = field(default_factory=list)
    put: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __enter__(self) -> MetricsService:
        self._lock = threading.Lock()
        # A client costs more than all of its requests.
        self._sagemaker, self._moto = self.account.client("sagemaker"), self.account.client(_SERVICE)
        self._server = JsonServer(self._answer)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.close()

    @property
    def config(self) -> dict[str, Any]:
        """The extra field of a connection that leads to this service."""
        return {"service_config": {_SERVICE: {"endpoint_url": self._server.url}}}

    @property
    def connection(self) -> Any:
        """The account's connection, with this service in it."""
        found = self.account.connection
        extra = {**found.extra, **self.config}
        return type(found)(found.conn_id, found.conn_type, found.login, found.password, extra=extra)

    def log(self, component: str, metric: str, *points: tuple[int | None, int, float]) -> None:
        """Log points; moto makes the summary of them."""
        client = self.account.client("sagemaker")
        arn = client.describe_trial_component(TrialComponentName=component)["TrialComponentArn"]
        self.points.setdefault((arn, metric), []).extend(points)
        told = [
            {"MetricName": metric, "Timestamp": time, "Step": time if step is None else step, "Value": value}
            for step, time, value in points
        ]
        self.account.client(_SERVICE).batch_put_metrics(TrialComponentName=component, MetricData=told)

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        if self.refuses:
            return 403, {"__type": self.refuses, "message": "no"}
        if method == "PUT":
            return self._take(path, body)
        operation = model_of(_SERVICE).operation_model("BatchGetMetrics")
        assert path == operation.http["requestUri"]
        check(operation.input_shape, body, "BatchGetMetrics")
        self.asked.append(body)
        answer = {"MetricQueryResults": [self._result(each) for each in body["MetricQueries"]]}
        check(operation.output_shape, answer, "BatchGetMetrics")
        return 200, answer

    def _take(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Take points as the service does: within its model, of the last two weeks, of a component."""
        operation = model_of(_SERVICE).operation_model("BatchPutMetrics")
        assert path == operation.http["requestUri"]
        wrong = list(violations(operation.input_shape, body, "BatchPutMetrics"))
        if wrong:
            return 400, {"__type": "ValidationException", "message": "; ".join(wrong)}
        now, name = time.time(), body["TrialComponentName"]
        if self.errors:
            return 200, {"Errors": [{"Code": self.errors.pop(0), "MetricIndex": 0}]}
        errors = [
            {"Code": "VALIDATION_ERROR", "MetricIndex": number}
            for number, each in enumerate(body["MetricData"])
            if not now - 1_209_600 < each["Timestamp"] < now + 7200
        ]
        if errors:
            return 200, {"Errors": errors}
        arn = self._sagemaker.describe_trial_component(TrialComponentName=name)["TrialComponentArn"]
        with self._lock:
            for each in body["MetricData"]:
                point = (each.get("Step"), each["Timestamp"], each["Value"])
                self.points.setdefault((arn, each["MetricName"]), []).append(point)
                self.put.append((name, each))
            self.taken += 1
            number = self.taken
        self._moto.batch_put_metrics(**body)
        return (0 if self.then(number) else 200), {"Errors": []}

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        assert query["MetricStat"] == "Last"
        by_step = query["XAxisType"] == "IterationNumber"
        assert query["Period"] == ("IterationNumber" if by_step else "OneMinute")
        found: dict[int, float] = {}
        for step, moment, value in self.points.get((query["ResourceArn"], query["MetricName"]), ()):
            if not by_step or step is not None:
                found[step if by_step and step is not None else moment // 60 * 60] = value
        listed = sorted(each for each in found.items() if each[0] >= query.get("Start", 0))
        return {
            "Status": "Truncated" if len(listed) > MOST else "Complete",
            "XAxisValues": [x for x, _ in listed[:MOST]],
            "MetricValues": [value for _, value in listed[:MOST]],
        }
