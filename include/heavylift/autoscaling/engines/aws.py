"""AWS's Application Auto Scaling: target tracking and steps.

Target tracking
(docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview,
API_TargetTrackingScalingPolicyConfiguration; the alarms as hashicorp/terraform-provider-aws#42553 and
aws-cloudformation/cloudformation-coverage-roadmap#2353 show them): CloudWatch looks at one point a minute;
out after 3 of 3 points above the target, in after 15 of 15 below 90 % of it; capacity in proportion,
rounded up; during the cooldown outwards only a larger wish counts; the cooldown back stops steps back and
is ended by one outwards. Of several policies the largest wish counts outwards, and all must agree to go
back.

Steps (…/step-scaling-policy-overview): while the alarm lasts, the step whose bounds hold; percentages
round towards 0 but to at least 1; after a step the cooldown.
"""

from __future__ import annotations

from heavylift.autoscaling.model import Metric, Policy, Rule
from heavylift.autoscaling.view import View, bounded, proportional

OUT_POINTS, IN_POINTS, IN_SHARE = 3, 15, 0.9


class TrackingEngine:
    """Target tracking."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._out_until = self._back_until = 0

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now; alarms change at whole minutes only."""
        if view.now_s % 60 or not view.ready:
            return bounded(self._policy, view.desired)
        wishes = [self._out(metric, view) for metric in self._policy.metrics]
        wanted = bounded(self._policy, max(wishes))
        if wanted > view.desired:
            self._out_until = view.now_s + (self._policy.out.cooldown_s or 0)
            self._back_until = view.now_s
            return wanted
        return self._back(view)

    def _out(self, metric: Metric, view: View) -> int:
        points = view.minutes[metric.kind][-OUT_POINTS:]
        if len(points) < OUT_POINTS or min(points) <= metric.target:
            return 0
        # Capacity that a step before has brought counts towards this one: the wish is of all replicas.
        return proportional(view.ready, points[-1], metric.target)

    def _back(self, view: View) -> int:
        policy = self._policy
        if policy.back.select == "disabled" or view.now_s < max(self._back_until, self._out_until):
            return bounded(policy, view.desired)
        wishes = []
        for metric in policy.metrics:
            points = view.minutes[metric.kind][-IN_POINTS:]
            if len(points) < IN_POINTS or max(points) >= IN_SHARE * metric.target:
                return bounded(policy, view.desired)
            # The busiest of the points: what it goes back to must have held all the time.
            wishes.append(proportional(view.ready, max(points), metric.target))
        wanted = bounded(policy, max(wishes))
        if wanted < view.desired:
            self._back_until = view.now_s + (policy.back.cooldown_s or 0)
            return wanted
        return bounded(policy, view.desired)


class StepEngine:
    """Step scaling."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._quiet_until = 0

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now."""
        if view.now_s % 60 or view.now_s < self._quiet_until or not view.ready:
            return bounded(self._policy, view.desired)
        for above in (True, False):
            found = [rule for rule in self._policy.rules if rule.above is above and self._holds(rule, view)]
            if found:
                # The step furthest from the threshold is the one whose bounds hold.
                rule = (max if above else min)(found, key=lambda each: each.threshold)
                wanted = bounded(self._policy, stepped(rule, view.desired))
                if wanted != view.desired:
                    self._quiet_until = view.now_s + rule.cooldown_s
                return wanted
        return bounded(self._policy, view.desired)

    def _holds(self, rule: Rule, view: View) -> bool:
        count = max(1, rule.window_s // 60)
        points = view.minutes[rule.metric.kind][-count:]
        if len(points) < count:
            return False
        same = [
            each
            for each in self._policy.rules
            if each.above is rule.above and each.metric.kind == rule.metric.kind
        ]
        alarm = (min if rule.above else max)(each.threshold for each in same)
        if rule.above:
            return min(points) >= alarm and points[-1] >= rule.threshold
        return max(points) <= alarm and points[-1] <= rule.threshold


def stepped(rule: Rule, current: int) -> int:
    """Return the capacity after one step of a rule."""
    if rule.unit == "exact":
        return int(rule.value)
    amount = rule.value if rule.unit == "change" else current * rule.value / 100
    whole = max(1, int(amount), rule.least) if amount > 0 else 0
    return current + whole if rule.above else current - whole
