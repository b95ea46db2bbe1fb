"""Kubernetes' HorizontalPodAutoscaler, and KEDA around it.

kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale: every 15 s, desired = ceil(current x
metric / target); no step within the tolerance; of several metrics the one that asks for most; pods that
are not ready count as 0 when it scales out; the lowest wish of the window outwards, the highest of the
window back; at most what the policies allow in their periods.
keda.sh/docs/latest/reference/scaledobject-spec: KEDA starts the first replica itself when a trigger is
active (every pollingInterval, 30 s), and takes the last one away when none was for cooldownPeriod.
"""

from __future__ import annotations

import math
from bisect import bisect_right

from heavylift.autoscaling.model import Metric, Pace, Policy
from heavylift.autoscaling.view import View, bounded, proportional

_POLL_S = 30


class HpaEngine:
    """A HorizontalPodAutoscaler.

    :param floor: replicas that it never goes below; KEDA's has at least one.
    """

    def __init__(self, policy: Policy, floor: int | None = None) -> None:
        self._policy = policy
        self._floor = policy.minimum if floor is None else floor
        self._wished_at: list[int] = []
        self._wishes: list[int] = []
        self._steps: list[tuple[int, int]] = []
        windows = (policy.out.window_s or 0, policy.back.window_s or 0)
        periods = [limit.period_s for pace in (policy.out, policy.back) for limit in pace.limits]
        self._kept = max(*windows, *periods, 0)

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now."""
        wish = max([self._floor, *(self._wish(metric, view) for metric in self._policy.metrics)])
        wish = min(self._policy.maximum, wish)
        self._wished_at.append(view.now_s)
        self._wishes.append(wish)
        gone = self._since(view.now_s - max(self._kept, 1))
        del self._wished_at[:gone], self._wishes[:gone]
        settled = self._settled(view, wish)
        made = self._paced(view, settled)
        made = min(self._policy.maximum, max(self._floor, made))
        if made != view.desired:
            self._steps.append((view.now_s, made - view.desired))
            self._steps = [each for each in self._steps if each[0] > view.now_s - self._kept]
        return made

    def _wish(self, metric: Metric, view: View) -> int:
        if not view.ready:
            return view.desired
        ratio = view.value[metric.kind] / metric.target
        if 1.0 - self._policy.tolerance <= ratio <= 1.0 + self._policy.tolerance:
            return view.desired
        if ratio > 1.0 and view.ready < view.desired:
            # Starting pods count as idle; then it may be enough, or nearly so.
            ratio = ratio * view.ready / view.desired
            if ratio < 1.0 + self._policy.tolerance:
                return view.desired
            return math.ceil(ratio * view.desired - 1e-9)
        return proportional(view.ready, view.value[metric.kind], metric.target)

    def _settled(self, view: View, wish: int) -> int:
        out, back = self._policy.out.window_s or 0, self._policy.back.window_s or 0
        low = min(self._wishes[self._since(view.now_s - out) :], default=wish)
        high = max(self._wishes[self._since(view.now_s - back) :], default=wish)
        low, high = min(low, wish), max(high, wish)
        if view.desired < low:
            return low
        return high if view.desired > high else view.desired

    def _since(self, moment: int) -> int:
        """Return the place of the first wish after a moment."""
        return bisect_right(self._wished_at, moment)

    def _paced(self, view: View, wanted: int) -> int:
        if wanted > view.desired:
            return min(wanted, self._ceiling(self._policy.out, view))
        return max(wanted, self._lowest(self._policy.back, view)) if wanted < view.desired else wanted

    def _ceiling(self, pace: Pace, view: View) -> int:
        if pace.select == "disabled":
            return view.desired
        bounds = []
        for limit in pace.limits:
            start = view.desired - self._moved(view, limit.period_s, 1)
            more = limit.value if limit.unit == "pods" else start * limit.value / 100
            bounds.append(math.ceil(start + more - 1e-9))
        if not bounds:
            return self._policy.maximum
        return max(view.desired, max(bounds) if pace.select == "max" else min(bounds))

    def _lowest(self, pace: Pace, view: View) -> int:
        if pace.select == "disabled":
            return view.desired
        bounds = []
        for limit in pace.limits:
            start = view.desired + self._moved(view, limit.period_s, -1)
            fewer = limit.value if limit.unit == "pods" else start * limit.value / 100
            bounds.append(math.floor(start - fewer + 1e-9))
        if not bounds:
            return self._floor
        return min(view.desired, min(bounds) if pace.select == "max" else max(bounds))

    def _moved(self, view: View, period_s: int, sign: int) -> int:
        return sum(abs(step) for at, step in self._steps if at > view.now_s - period_s and step * sign > 0)


class KedaEngine:
    """A ScaledObject: the HorizontalPodAutoscaler above one replica, KEDA itself below."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._inner = HpaEngine(policy, max(1, policy.minimum))
        self._active_s = 0

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now."""
        if any(view.value[metric.kind] > 0 for metric in self._policy.metrics):
            self._active_s = view.now_s
            if view.desired == 0:
                return 1 if view.now_s % _POLL_S == 0 else 0
        if view.desired == 0:
            return 0
        idle = view.now_s - self._active_s
        if self._policy.minimum == 0 and idle and idle >= (self._policy.back.cooldown_s or 300):
            return 0
        return bounded(self._policy, self._inner.decide(view))
