"""What several writers need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from heavylift.autoscaling.model import Kind, Loss, Metric, Policy

Losses = list[Loss]


class _Dumper(yaml.SafeDumper):
    """Writes what stands twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(value: Any) -> str:
    """Return a value as YAML, its keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000))


def tracked(policy: Policy, losses: Losses) -> Policy:
    """Return the policy with targets in the place of rules, where it has rules."""
    if policy.metrics:
        return policy
    outward: dict[tuple[Kind, str], float] = {}
    for rule in policy.rules:
        if rule.above:
            key = (rule.metric.kind, rule.metric.name)
            outward[key] = min(outward.get(key, rule.threshold), rule.threshold)
    if not outward:
        losses.append(
            Loss("rules", "no rule adds replicas", "write a rule, or a target, that does", blocks=True)
        )
        return replace(policy, rules=(), metrics=(policy.yardstick,))
    losses.append(
        Loss(
            "rules",
            f"{len(policy.rules)} rules of fixed steps become targets: the lowest threshold outwards is kept",
            "compare both by simulation; scaling is in proportion now",
        )
    )
    metrics = tuple(Metric(kind, value, name) for (kind, name), value in outward.items())
    return replace(policy, rules=(), metrics=metrics)


def demand_bounds(policy: Policy, losses: Losses, least: int, why: str) -> Policy:
    """Return the policy with a minimum of at least ``least``."""
    if policy.minimum >= least:
        return policy
    losses.append(
        Loss("minimum", f"{policy.minimum} becomes {least}: {why}", "expect its cost when nothing is asked")
    )
    return replace(policy, minimum=least, maximum=max(least, policy.maximum))


def lose_schedules(policy: Policy, losses: Losses) -> Policy:
    """Return the policy without schedules, each told."""
    for each in policy.schedules:
        losses.append(
            Loss(
                "schedule",
                f"{each} is not in the translation",
                "set the bounds at these times by a job of your own",
                blocks=True,
            )
        )
    return replace(policy, schedules=())
