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
    """One region: trials of each experiment, components of each trial, and what is told of a component.

    :param job: what has made the one version of the one model, if there is any.
    """

    experiments: Mapping[str, Sequence[str]]
    trials: Mapping[str, Sequence[str]]
    components: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    job: str = ""

    @contextmanager
    def serving(self) -> Iterator[Connection]:
        """Serve; yields the connection. Points of metrics are refused."""
        operations = {
            "ListExperiments": lambda b: self._page(b, "ExperimentSummaries", "Experiment", self.experiments),
            "ListTrials": lambda b: self._page(b, "TrialSummaries", "Trial", self._trials(b)),
            "ListTrialComponents": lambda b: self._page(
                b, "TrialComponentSummaries", "TrialComponent", self._components(b)
            ),
            "DescribeExperiment": lambda b: self._told("Experiment", b, self.experiments, {}),
            "DescribeTrial": lambda b: self._told("Trial", b, self.trials, self._of(b["TrialName"])),
            "DescribeTrialComponent": lambda b: self._told(
                "TrialComponent", b, self.components, self.components.get(b["TrialComponentName"], {})
            ),
            "ListTags": lambda b: {
                "Tags": [
                    {"Key": key, "Value": value}
                    for key, value in self.tags.get(b["ResourceArn"].rpartition("/")[2], {}).items()
                ]
            },
            **_packages(self.job),
        }
        metrics = JsonServer(lambda *_: (403, {"__type": "AccessDeniedException", "message": "no"}))
        try:
            with aws_json("sagemaker", operations) as (url, _):
                own = {"sagemaker-metrics": {"endpoint_url": metrics.url}}
                extra = {"endpoint_url": url, "region_name": "eu-west-1", "service_config": own}
                yield Connection("shaped", "aws", "testing", "testing", extra=extra)
        finally:
            metrics.close()

    def _trials(self, body: dict[str, Any]) -> list[str]:
        if "ExperimentName" in body:
            return list(self.experiments[body["ExperimentName"]])
        return [name for name, of in self.trials.items() if body["TrialComponentName"] in of]

    def _components(self, body: dict[str, Any]) -> list[str]:
        if "SourceArn" in body:
            return [name for name in self.components if self._source("TrialComponent", name)]
        return list(self.trials[body["TrialName"]] if "TrialName" in body else self.components)

    def _of(self, trial: str) -> dict[str, str]:
        return {"ExperimentName": next(name for name, of in self.experiments.items() if trial in of)}

    def _source(self, sort: str, name: str) -> dict[str, Any]:
        source = self.components.get(name, {}).get("Source") if sort == "TrialComponent" else None
        return {"TrialComponentSource": source} if source else {}

    def _page(self, body: dict[str, Any], name: str, sort: str, of: Any) -> dict[str, Any]:
        start, listed = int(body.get("NextToken", "0")), list(of)
        shown = [
            {f"{sort}Name": each, f"{sort}Arn": _arn(sort, each), **self._source(sort, each)}
            for each in listed[start : start + _PAGE]
        ]
        more = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(listed) else {}
        return {name: shown, **more}

    def _told(self, sort: str, body: dict[str, Any], of: Any, more: dict[str, Any]) -> dict[str, Any]:
        name = body[f"{sort}Name"]
        if name not in of:
            raise RefusedError("ResourceNotFound", "gone")
        told = {f"{sort}Name": name, f"{sort}Arn": _arn(sort, name), "CreationTime": MADE, "CreatedBy": WHO}
        return told | more


def _packages(job: str) -> dict[str, Any]:
    """Return the operations of a Model Registry of one version, which a job has made."""
    group = {"ModelPackageGroupName": "g", "ModelPackageGroupArn": f"{_ARN}:model-package-group/g"}
    group |= {"CreationTime": MADE, "ModelPackageGroupStatus": "Completed"}
    package = {"ModelPackageArn": f"{_ARN}:model-package/g/1", "CreationTime": MADE, "ModelPackageVersion": 1}
    package |= {"ModelPackageGroupName": "g", "ModelPackageStatus": "Completed"}
    details = {"ModelPackageStatusDetails": {"ValidationStatuses": []}, "ModelPackageName": "g"}
    made = {"MetadataProperties": {"GeneratedBy": job}}
    return {
        "ListModelPackageGroups": lambda _: {"ModelPackageGroupSummaryList": [group] if job else []},
        "DescribeModelPackageGroup": lambda _: {**group, "CreatedBy": WHO},
        "ListModelPackages": lambda b: {
            "ModelPackageSummaryList": [package] if "ModelPackageGroupName" in b else []
        },
        "DescribeModelPackage": lambda _: {**package, **details, **made},
    }


def _arn(sort: str, name: str) -> str:
    kinds = {"Experiment": "experiment", "Trial": "experiment-trial"}
    return f"{_ARN}:{kinds.get(sort, 'experiment-trial-component')}/{name.lower()}"
