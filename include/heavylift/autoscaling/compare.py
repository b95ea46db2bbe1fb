"""Compares two autoscalers at the same load, and looks for settings with which the target is as safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from heavylift.autoscaling.model import Metric, Policy, Rule, System
from heavylift.autoscaling.simulate import Run, World, simulate


@dataclass(frozen=True)
class Tolerance:
    """What may differ.

    :param excess: share of the source's instance minutes that the target may cost more.
    :param minutes_above: minutes more that the target may be above the yardstick.
    :param lag_s: seconds that its longest time above may last longer.
    :param dropped: share of all requests that it may drop more.
    """

    excess: float = 0.10
    minutes_above: float = 1.0
    share_above: float = 0.01
    lag_s: int = 60
    dropped: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """How the target compares.

    :param word: ``equivalent``; ``safe-but-dearer``; ``less-safe``.
    :param reasons: what is out of tolerance.
    """

    word: str
    reasons: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether the target is at least as safe as the source."""
        return self.word != "less-safe"


@dataclass(frozen=True)
class Advice:
    """Settings that were tried, and the best of them.

    :param changes: in words; empty where the translation's own settings are best.
    :param policy: the target's policy with these settings; None where none that was tried is safe.
    """

    tried: int
    changes: tuple[str, ...]
    policy: Policy | None
    run: Run | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Comparison:
    """Both sides at one load."""

    yardstick: Metric
    source: Run
    target: Run
    verdict: Verdict
    advice: Advice


def judge(source: Run, target: Run, tolerance: Tolerance) -> Verdict:
    """Return how the target compares with the source."""
    reasons = []
    allowed = source.minutes_above + tolerance.minutes_above + tolerance.share_above * len(source.desired)
    if target.minutes_above > allowed:
        reasons.append(f"{target.minutes_above:g} minutes above the target, {allowed:g} allowed")
    if target.lag_s > source.lag_s + tolerance.lag_s:
        reasons.append(
            f"too few replicas for up to {target.lag_s} s, {source.lag_s + tolerance.lag_s} s allowed"
        )
    most = source.dropped + tolerance.dropped * source.requests
    if target.dropped > most + 1e-6:
        reasons.append(f"{target.dropped:.0f} requests dropped, {most:.0f} allowed")
    if reasons:
        return Verdict("less-safe", tuple(reasons))
    if target.instance_minutes > source.instance_minutes * (1 + tolerance.excess) + 1e-9:
        more = target.instance_minutes / source.instance_minutes - 1 if source.instance_minutes else 1.0
        return Verdict(
            "safe-but-dearer", (f"{more:.0%} more instance minutes, {tolerance.excess:.0%} allowed",)
        )
    return Verdict("equivalent", ())


def compare(
    source: Policy,
    target: Policy,
    load: Sequence[float],
    world: World,
    tolerance: Tolerance,
    *,
    advise: bool = True,
) -> Comparison:
    """Return both sides at one load, the verdict, and where it is not good, better settings.

    Both are measured by the source's target, whatever the target's settings become.
    """
    yardstick = source.yardstick
    ours, theirs = simulate(source, load, world, yardstick), simulate(target, load, world, yardstick)
    verdict = judge(ours, theirs, tolerance)
    if verdict.word == "equivalent" or not advise:
        return Comparison(yardstick, ours, theirs, verdict, Advice(0, (), target, theirs, verdict))
    return Comparison(
        yardstick, ours, theirs, verdict, _advice(ours, target, load, world, tolerance, yardstick)
    )


_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
_MINIMA = (0, 1, 2)


def _advice(
    source: Run, target: Policy, load: Sequence[float], world: World, tolerance: Tolerance, yardstick: Metric
) -> Advice:
    best: tuple[tuple[bool, float], tuple[str, ...], Policy, Run, Verdict] | None = None
    tried = 0
    brisk_too = target.system in {System.HPA, System.KEDA, System.AWS}
    for more, brisk in [(more, brisk) for more in _MINIMA for brisk in (False, True)[: 1 + brisk_too]]:
        for share in _SHARES:
            policy, changes = _changed(target, share, more, brisk)
            if policy.minimum > policy.maximum:
                break
            tried += 1
            run = simulate(policy, load, world, yardstick)
            verdict = judge(source, run, tolerance)
            if not verdict.safe:
                continue
            rank = (verdict.word != "equivalent", run.instance_minutes)
            if best is None or rank < best[0]:
                best = (rank, changes, policy, run, verdict)
            # Lower targets cost more: the first that is safe is the cheapest of its row.
            break
    if best is None:
        return Advice(tried, (), None, None, None)
    return Advice(tried, *best[1:])


def _changed(policy: Policy, share: float, more: int, brisk: bool) -> tuple[Policy, tuple[str, ...]]:
    changes = []
    if share != 1.0:
        policy = replace(
            policy,
            metrics=tuple(replace(each, target=each.target * share) for each in policy.metrics),
            rules=tuple(_lower(rule, share) for rule in policy.rules),
        )
        changes.append(f"targets x {share:g}")
    if more:
        policy = replace(policy, minimum=policy.minimum + more)
        changes.append(f"minimum {policy.minimum}")
    if brisk:
        # Outwards at once and without a pause; back as before.
        policy = replace(
            policy, out=replace(policy.out, window_s=0, cooldown_s=0 if policy.system is System.AWS else None)
        )
        changes.append("no window or cooldown outwards")
    return policy, tuple(changes)


def _lower(rule: Rule, share: float) -> Rule:
    return replace(rule, threshold=rule.threshold * share)
