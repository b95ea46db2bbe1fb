"""SageMaker's experiments with what moto has not: sharing, people, odd names; checked by botocore's model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from heavylift.connections import Connection
from tests.support.aws_json_server import RefusedError, aws_json
from tests.support.json_server import JsonServer

_ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
_PAGE = 2
MADE = 1_700_000_000
WHO = {"IamIdentity": {"Arn": "arn:aws:sts::123456789012:assumed-role/science/ann", "PrincipalId": "p"}}


@dataclass
class ShapedTrials:
    """One region: trials of each experiment, components of each trial, and what is told of a component."""

    experiments: Mapping[str, Sequence[str]]
    trials: Mapping[str, Sequence[str]]
    components: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    @contextmanager
    def serving(self) -> Iterator[Connection]:
        """Serve; yields the connection. Points of metrics are refused."""
        operations = {
            "ListExperiments": lambda b: self._page(b, "ExperimentSummaries", "Experiment", self.experiments),
            "ListTrials": lambda b: self._page(
                b, "TrialSummaries", "Trial", self.experiments[b["ExperimentName"]]
            ),
            "ListTrialComponents": lambda b: self._page(
                b,
                "TrialComponentSummaries",
                "TrialComponent",
                self.trials[b["TrialName"]] if "TrialName" in b else self.components,
            ),
            "DescribeExperiment": lambda b: self._told("Experiment", b, self.experiments, {}),
            "DescribeTrial": lambda b: self._told("Trial", b, self.trials, {}),
            "DescribeTrialComponent": lambda b: self._told(
                "TrialComponent", b, self.components, self.components.get(b["TrialComponentName"], {})
            ),
            "ListTags": lambda b: {
                "Tags": [
                    {"Key": key, "Value": value}
                    for key, value in self.tags.get(b["ResourceArn"].rpartition("/")[2], {}).items()
                ]
            },
            "ListModelPackageGroups": lambda _: {"ModelPackageGroupSummaryList": []},
            "ListModelPackages": lambda _: {"ModelPackageSummaryList": []},
        }
        metrics = JsonServer(lambda *_: (403, {"__type": "AccessDeniedException", "message": "no"}))
        try:
            with aws_json("sagemaker", operations) as (url, _):
                own = {"sagemaker-metrics": {"endpoint_url": metrics.url}}
                extra = {"endpoint_url": url, "region_name": "eu-west-1", "service_config": own}
                yield Connection("shaped", "aws", "testing", "testing", extra=extra)
        finally:
            metrics.close()

    def _page(self, body: dict[str, Any], name: str, sort: str, of: Any) -> dict[str, Any]:
        start, listed = int(body.get("NextToken", "0")), list(of)
        shown = [
            {f"{sort}Name": each, f"{sort}Arn": _arn(sort, each)} for each in listed[start : start + _PAGE]
        ]
        more = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(listed) else {}
        return {name: shown, **more}

    def _told(self, sort: str, body: dict[str, Any], of: Any, more: dict[str, Any]) -> dict[str, Any]:
        name = body[f"{sort}Name"]
        if name not in of:
            raise RefusedError("ResourceNotFound", "gone")
        told = {f"{sort}Name": name, f"{sort}Arn": _arn(sort, name), "CreationTime": MADE, "CreatedBy": WHO}
        return told | more


def _arn(sort: str, name: str) -> str:
    kinds = {"Experiment": "experiment", "Trial": "experiment-trial"}
    return f"{_ARN}:{kinds.get(sort, 'experiment-trial-component')}/{name.lower()}"
