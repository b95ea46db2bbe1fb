"""Vertex AI's autoscaler and Azure Monitor's.

Vertex AI (cloud.google.com/vertex-ai/docs/predictions/autoscaling): every 15 seconds, replicas =
ceil(current x utilisation / target) by the data of the last 5 minutes; of several metrics the one that
asks for most. Taken here as: outwards by the last minute, back to the highest wish of the last 5 minutes.
How the data of these minutes is weighed is not published.

Azure Monitor (learn.microsoft.com/azure/azure-monitor/autoscale/autoscale-understanding-settings and
insights-autoscale-best-practices): rules compare the average of their window; outwards when one holds,
back when all do; not back where the estimate for fewer replicas would send it out again; each rule waits
for its cooldown since the last step. It looks here once a minute.
"""

from __future__ import annotations

from heavylift.autoscaling.engines.aws import stepped
from heavylift.autoscaling.model import Policy, Rule
from heavylift.autoscaling.view import TICK_S, View, bounded, proportional

_BACK_S = 300


class VertexEngine:
    """Vertex AI's autoscaler."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._wishes: list[int] = []

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now."""
        if not view.ready:
            return max(view.desired, 1 if any(view.value.values()) else 0, self._policy.minimum)
        wish = 0
        for metric in self._policy.metrics:
            points = view.minutes[metric.kind][-1:] or [view.value[metric.kind]]
            wish = max(wish, proportional(view.ready, points[-1], metric.target))
        wish = bounded(self._policy, wish)
        self._wishes = [*self._wishes, wish][-(_BACK_S // TICK_S) :]
        if wish >= view.desired:
            return wish
        return min(view.desired, max(self._wishes))


class AzureEngine:
    """Azure Monitor's autoscale."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._stepped_s: int | None = None

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now."""
        if view.now_s % 60 or not view.ready:
            return bounded(self._policy, view.desired)
        outward = [rule for rule in self._policy.rules if rule.above]
        back = [rule for rule in self._policy.rules if not rule.above]
        due = [rule for rule in outward if self._rested(rule, view) and self._holds(rule, view)]
        wanted = view.desired
        if due:
            wanted = max(stepped(rule, view.desired) for rule in due)
        elif (
            back
            and all(self._holds(rule, view) for rule in back)
            and all(self._rested(r, view) for r in back)
        ):
            # Of several rules back the most careful counts.
            fewer = max(stepped(rule, view.desired) for rule in back)
            wanted = fewer if not self._flaps(fewer, view) else view.desired
        made = bounded(self._policy, wanted)
        if made != view.desired:
            self._stepped_s = view.now_s
        return made

    def _rested(self, rule: Rule, view: View) -> bool:
        return self._stepped_s is None or view.now_s - self._stepped_s >= rule.cooldown_s

    def _average(self, rule: Rule, view: View) -> float | None:
        count = max(1, rule.window_s // 60)
        points = view.minutes[rule.metric.kind][-count:]
        return sum(points) / count if len(points) == count else None

    def _holds(self, rule: Rule, view: View) -> bool:
        average = self._average(rule, view)
        if average is None:
            return False
        return average > rule.threshold if rule.above else average < rule.threshold

    def _flaps(self, fewer: int, view: View) -> bool:
        """Return whether fewer replicas would, by estimate, be too few at once."""
        if fewer < 1:
            return True
        for rule in self._policy.rules:
            average = self._average(rule, view) if rule.above else None
            if average is not None and average * view.desired / fewer > rule.threshold:
                return True
        return False
