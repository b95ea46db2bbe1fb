"""What SageMaker's experiments take, read from botocore's model of the service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from heavylift.platforms.aws.stated_limits import Stated, stated_limits
from heavylift.registry.catalogues.capabilities import Pairs, Rule, categories

_MADE = "CreateTrialComponent"
_FIELDS = {
    "name": "CreateExperiment/ExperimentName",
    "display": f"{_MADE}/DisplayName",
    "description": "CreateExperiment/Description",
    "message": f"{_MADE}/Status/Message",
    "params": f"{_MADE}/Parameters",
    "param": f"{_MADE}/Parameters/{{}}",
    "text": f"{_MADE}/Parameters/[]/StringValue",
    "artifact": f"{_MADE}/OutputArtifacts/[]/Value",
    "metadata": f"{_MADE}/MetadataProperties/CommitId",
    "tags": f"{_MADE}/Tags",
    "key": f"{_MADE}/Tags/[]/Key",
    "value": f"{_MADE}/Tags/[]/Value",
}
_PUT = "BatchPutMetrics"
_OF_METRICS = {
    "component": f"{_PUT}/TrialComponentName",
    "points": f"{_PUT}/MetricData",
    "metric": f"{_PUT}/MetricData/[]/MetricName",
    "step": f"{_PUT}/MetricData/[]/Step",
}
_NO_LINES = r"[^\n\r\u0085\u2028\u2029]"
"""What a dot means to the service: Python's takes most ends of lines."""
_CATEGORIES = re.compile(r"\(\[((?:\\p\{[A-Z]\})+)([^\]]*)\]\*\)")
"""The one form of a pattern with Unicode's categories that the model has."""
_DOT = re.compile(r"(?<!\\)\.(?=[*+])")
MOST_STEP = 2**31 - 1
"""A step is an ``integer`` of the model."""


@dataclass(frozen=True)
class TrialLimits:
    """Which texts each place takes, and how many.

    :param component: names of components: stricter than other names, or no points could be sent.
    :param pairs: tags.
    :param points: how many go into one request.
    """

    name: Rule
    component: Rule
    display: Rule
    description: Rule
    message: Rule
    param: Rule
    text: Rule
    artifact: Rule
    metadata: Rule
    metric: Rule
    pairs: Pairs
    params: int
    points: int
    least_step: int


@cache
def trial_limits() -> TrialLimits:
    """Return the limits; the model is read once in a process."""
    told = stated_limits("sagemaker", _FIELDS.values())
    of_metrics = stated_limits("sagemaker-metrics", _OF_METRICS.values())
    rules = {name: rule_of(told[field]) for name, field in _FIELDS.items() if name not in {"params", "tags"}}
    of_names = {name: rule_of(of_metrics[_OF_METRICS[name]]) for name in ("component", "metric")}
    key, value = rules.pop("key"), rules.pop("value")
    return TrialLimits(
        **rules,
        **of_names,
        pairs=Pairs(told[_FIELDS["tags"]].most, key, value, reserved=("aws:",)),
        params=told[_FIELDS["params"]].most,
        points=of_metrics[_OF_METRICS["points"]].most,
        least_step=of_metrics[_OF_METRICS["step"]].fewest,
    )


def rule_of(stated: Stated) -> Rule:
    """Return what is stated of a text as a rule.

    :raises ValueError: its pattern is of a form that this version does not read.
    """
    pattern = stated.pattern.removeprefix("^")
    if "\\p" not in pattern:
        return Rule(stated.most, _DOT.sub(lambda _: _NO_LINES, pattern), stated.fewest)
    found = _CATEGORIES.fullmatch(pattern)
    if not found:
        raise ValueError(f"the pattern {pattern!r}")
    letters = "".join(re.findall(r"[A-Z]", found[1]))
    more = found[2].replace("\\", "")
    words = f"letters, digits, spaces and {' '.join(more)}"
    return Rule(stated.most, "", stated.fewest, test=(lambda text: categories(text, letters, more), words))
