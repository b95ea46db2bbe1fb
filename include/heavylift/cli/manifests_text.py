"""What ``heavylift manifests`` prints of a translation and a check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.manifests.checking import Checked
    from heavylift.manifests.reading import Unreadable
    from heavylift.manifests.report import Finding
    from heavylift.manifests.translate import Translation
    from heavylift.manifests.volumes import VolumeAsk, VolumeJobs

_SHOWN = 200


def translated(done: Translation, out: Path) -> str:
    """Return a translation: the verdict, what was left, what the target needs, what was changed."""
    report = done.report
    word = "TRANSLATED" if done.passed else "NOT ALL TRANSLATED"
    lines = [
        f"{word}: {done.documents} documents of {len(done.texts)} files to {out}, {done.changed} changed;"
        f" {len(report.changes)} changes, {len(report.untranslated)} left as they are,"
        f" {len(report.requirements)} demands on the target, {len(done.unreadable)} files not read"
    ]
    lines += _unreadable(done.unreadable)
    lines += _findings("left", report.untranslated)
    lines += _findings("needs", report.requirements)
    lines += [f"  comments lost: {name}" for name in done.comments_lost]
    lines += [
        f"  changed: {each.file} {each.object} {each.path}: {each.old or '(none)'} -> {each.new or '(none)'}"
        f" ({each.reason})"
        for each in report.changes[:_SHOWN]
    ]
    lines += _more(report.changes)
    return "\n".join(lines)


def checked(done: Checked, version: str) -> str:
    """Return a check: the verdict, what is invalid, what has no schema."""
    word = "VALID" if done.passed else "INVALID"
    if done.passed and done.count("unchecked"):
        word = "VALID, BUT FOR WHAT IS UNCHECKED" if done.count("valid") else "UNCHECKED"
    lines = [
        f"{word}: for Kubernetes {version} {done.count('valid')} objects are valid,"
        f" {done.count('invalid')} invalid, {done.count('unchecked')} of kinds without a schema"
    ]
    lines += _unreadable(done.unreadable)
    lines += [
        f"  {each.verdict}: {each.file} (document {each.document}) {each.object}"
        f" {each.path} {each.problem}".rstrip()
        for each in done.objects
        if each.verdict != "valid"
    ]
    return "\n".join(lines)


def _unreadable(rows: Sequence[Unreadable]) -> list[str]:
    return [f"  not read: {each.error.render()}" for each in rows]


def _findings(word: str, findings: Sequence[Finding]) -> list[str]:
    lines = [
        f"  {word}: {each.file} (document {each.document}) {each.object} {each.path}: {each.value}:"
        f" {each.why}. To do: {each.remedy}"
        for each in findings[:_SHOWN]
    ]
    return lines + _more(findings)


def _more(rows: Sequence[object]) -> list[str]:
    return [f"  … and {len(rows) - _SHOWN} more, in the report"] if len(rows) > _SHOWN else []


def volume_text(done: VolumeJobs, source: VolumeAsk, target: VolumeAsk, out: Path) -> str:
    """Return the Jobs that were made, what to do with them, and the dataset that lies between."""
    from heavylift.manifests.volumes import CLAIMS

    if not done.claims:
        return "no claim in these manifests: nothing was written"
    lines = [f"Jobs for {len(done.copies)} of {len(done.claims)} claims to {out}"]
    for each in done.claims:
        why = each.refused or each.note
        word = "refused" if each.refused else "made"
        lines.append(f"  {word}: {each.namespace}/{each.name}" + (f": {why}" if why else ""))
    if done.copies:
        places = [f"{each.bucket.rstrip('/')}/{CLAIMS}" for each in (source, target)]
        lines += [
            f"1. scale down what writes to them, kubectl apply -f {out}/source, wait for the Jobs",
            "2. a dataset of the spec moves the bucket:",
            "   datasets:",
            f"     - {{name: volumes, source: {places[0]}, target: {places[1]}}}",
            f"3. make the claims on the target, kubectl apply -f {out}/target, wait, start what uses them",
        ]
    return "\n".join(lines)
