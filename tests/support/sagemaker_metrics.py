"""A small ``sagemaker-metrics`` that tells points, which moto only takes; checked by botocore's model."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.support.aws_json_server import check, model_of
from tests.support.json_server import JsonServer
from tests.support.model_packages import Account

_SERVICE = "sagemaker-metrics"
MOST = 3
"""So many points an answer has for each query; the real service has more."""

Points = list[tuple[int | None, int, float]]
"""Step, if it has one; time in seconds; value."""


@dataclass
class MetricsService:
    """Serves points until it is closed.

    :param refuses: an error code, with which it answers everything.
    :param asked: requests that it answered.
    """

    account: Account
    refuses: str = ""
    points: dict[tuple[str, str], Points] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def __enter__(self) -> MetricsService:
        self._server = JsonServer(self._answer)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.close()

    @property
    def connection(self) -> Any:
        """The account's connection, with this service in it."""
        found = self.account.connection
        own = {_SERVICE: {"endpoint_url": self._server.url}}
        extra = {**found.extra, "service_config": own}
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

    def _answer(self, _method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        operation = model_of(_SERVICE).operation_model("BatchGetMetrics")
        assert path == operation.http["requestUri"]
        check(operation.input_shape, body, "BatchGetMetrics")
        if self.refuses:
            return 403, {"__type": self.refuses, "message": "no"}
        self.asked.append(body)
        answer = {"MetricQueryResults": [self._result(each) for each in body["MetricQueries"]]}
        check(operation.output_shape, answer, "BatchGetMetrics")
        return 200, answer

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        assert query["MetricStat"] == "Last"
        by_step = query["XAxisType"] == "IterationNumber"
        assert query["Period"] == ("IterationNumber" if by_step else "OneMinute")
        found: dict[int, float] = {}
        for step, time, value in self.points.get((query["ResourceArn"], query["MetricName"]), ()):
            if not by_step or step is not None:
                found[step if by_step and step is not None else time // 60 * 60] = value
        listed = sorted(each for each in found.items() if each[0] >= query.get("Start", 0))
        return {
            "Status": "Truncated" if len(listed) > MOST else "Complete",
            "XAxisValues": [x for x, _ in listed[:MOST]],
            "MetricValues": [value for _, value in listed[:MOST]],
        }
