"""What is told of a comparison: text, and Markdown with a picture."""

from __future__ import annotations

from collections.abc import Sequence

from heavylift.autoscaling.compare import Comparison
from heavylift.autoscaling.picture import text_picture
from heavylift.autoscaling.simulate import Run
from heavylift.autoscaling.translate import Translation

_ROWS = (
    ("instance minutes", "instance_minutes"),
    ("minutes above the target", "minutes_above"),
    ("longest time above, s", "lag_s"),
    ("request minutes in the queue", "waited"),
    ("requests dropped", "dropped"),
    ("steps", "steps"),
)


def comparison_text(found: Comparison, load: Sequence[float]) -> str:
    """Return both sides' figures, the verdict, the advice and a picture."""
    lines = [
        f"{found.verdict.word.upper()}, by {found.yardstick.kind} {found.yardstick.target:g} in each replica",
        *(f"  because: {reason}" for reason in found.verdict.reasons),
        "",
        f"{'':<30}{'source':>14}{'target':>14}",
    ]
    lines += [
        f"{title:<30}{_shown(found.source, name):>14}{_shown(found.target, name):>14}"
        for title, name in _ROWS
    ]
    lines += ["", text_picture(load, found.source, found.target)]
    if advice := _advice(found):
        lines += ["", advice]
    return "\n".join(lines)


def translation_text(made: Translation) -> str:
    """Return what is lost between both policies."""
    word = "TRANSLATED" if made.passed else "NOT ALL TRANSLATED"
    lines = [f"{word}: {made.file}: {made.source.system} to {made.target.system}, {len(made.losses)} remarks"]
    lines += [
        f"  {'blocks' if loss.blocks else 'differs'}: {loss.subject}: {loss.what}. To do: {loss.remedy}"
        for loss in made.losses
    ]
    return "\n".join(lines)


def comparison_markdown(made: Translation, found: Comparison, load: Sequence[float]) -> str:
    """Return the same as Markdown."""
    lines = [
        f"# Autoscaling of {made.source.name}: {made.source.system} and {made.target.system}",
        "",
        f"Verdict: **{found.verdict.word}**. Both are measured by the source's target: {found.yardstick.kind}"
        f" {found.yardstick.target:g} in each replica.",
        "",
        *(f"- {reason}" for reason in found.verdict.reasons),
        "",
        "| | source | target |",
        "|---|---|---|",
    ]
    lines += [
        f"| {title} | {_shown(found.source, name)} | {_shown(found.target, name)} |" for title, name in _ROWS
    ]
    lines += ["", "```", text_picture(load, found.source, found.target), "```", ""]
    if advice := _advice(found):
        lines += [advice, ""]
    lines += [f"- {loss.subject}: {loss.what}. To do: {loss.remedy}" for loss in made.losses]
    return "\n".join(lines) + "\n"


def _shown(run: Run, name: str) -> str:
    return f"{getattr(run, name):,.0f}"


def _advice(found: Comparison) -> str:
    advice = found.advice
    if not advice.tried:
        return ""
    if advice.policy is None or advice.verdict is None or advice.run is None:
        return f"advice: none of {advice.tried} other settings is as safe as the source"
    if not advice.changes:
        return f"advice: none of {advice.tried} other settings is better"
    return (
        f"advice: {', '.join(advice.changes)}: {advice.verdict.word}, {advice.run.instance_minutes:,.0f}"
        f" instance minutes, {advice.run.minutes_above:,.0f} above the target ({advice.tried} settings tried)"
    )
