"""What ``heavylift infra`` prints for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from heavylift.evidence.wording import enumeration

if TYPE_CHECKING:
    from heavylift.infra.folder import Infra
    from heavylift.infra.generate import Generated
    from heavylift.infra.plans import Change, Planned
    from heavylift.infra.roots import Applied
    from heavylift.infra.scanning import Scanned

_MOST = 60
_NAMED = 3
_SIGNS = {"create": "+", "update": "~", "replace": "-/+", "delete": "-", "forget": "."}


def generated_text(generated: Generated, infra: Infra) -> str:
    """Return what was written, and what was not translated."""
    lines = [
        f"{len(generated.made)} components in {', '.join(infra.folders)}; "
        f"{len(generated.untranslated)} that Terraform cannot make",
        f"plan {infra.plan_digest}" + ("" if infra.approved else " (a draft: nothing of it can be applied)"),
    ]
    why: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in generated.untranslated:
        why[each.reason, each.remedy].append(each.id)
    lines += [
        f"  not: {enumeration(ids, _NAMED)}: {reason}. To do: {remedy}"
        for (reason, remedy), ids in list(why.items())[:_MOST]
    ]
    lines += _more(len(why))
    asked = [name for each in infra.variables.values() for name, told in each.items() if told]
    if asked:
        lines.append(f"{len(set(asked))} variables need a value in {infra.folder / 'values.json'}")
    return "\n".join(lines)


def validated_text(problems: Mapping[str, Sequence[str]]) -> str:
    """Return what terraform found wrong."""
    lines = []
    for name, found in problems.items():
        lines += [f"{name}: valid"] if not found else [f"{name}: {each}" for each in found]
    return "\n".join(lines)


def scanned_text(found: Scanned) -> str:
    """Return what a scan found."""
    lines = [f"{found.passed} checks passed, {found.skipped} explained, {len(found.failed)} failed"]
    lines += [f"  {each.check} {each.resource} ({each.where}): {each.name}" for each in found.failed[:_MOST]]
    return "\n".join([*lines, *_more(len(found.failed))])


_OUTPUTS_ALONE = "nothing on the platform; only values that other roots ask for are not in the state yet"


def planned_text(planned: Planned | None) -> str:
    """Return a plan, and how it is approved."""
    if planned is None or (planned.empty and not planned.outputs):
        return "Nothing to do: files, state and platform agree."
    verb = "destroy" if planned.destroy else "apply"
    return "\n".join(
        [
            f"{planned.root}: {_counted(planned.counts) if planned.changes else _OUTPUTS_ALONE}",
            *_changes(planned.changes),
            f"Digest {planned.digest}",
            f"To do it: heavylift infra {verb} FOLDER --approve {planned.digest}",
        ]
    )


def applied_text(done: Applied) -> str:
    """Return what an application came to."""
    return f"{done.root}: {_counted(done.counts)}; a second plan is empty; {done.kept} resources in the state"


def drift_text(found: Sequence[Planned]) -> str:
    """Return what has drifted, root by root."""
    if not found:
        return "Nothing was applied yet."
    lines = []
    for each in found:
        if each.empty and not each.drifted:
            lines.append(f"{each.root}: no drift")
            continue
        lines.append(
            f"{each.root}: {len(each.drifted)} changed on the platform; to do: {_counted(each.counts)}"
        )
        lines += [f"  changed: {change.address} ({change.act})" for change in each.drifted[:_MOST]]
        lines += _changes(each.changes)
    return "\n".join(lines)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} to {act}" for act, n in counts.items()) or "nothing to do"


def _changes(changes: Sequence[Change]) -> list[str]:
    lines = [
        f"  {_SIGNS.get(each.act, '?'):>3} {each.address}"
        + (f": {', '.join(each.fields)}" if each.fields else "")
        for each in changes[:_MOST]
    ]
    return [*lines, *_more(len(changes))]


def _more(count: int) -> Iterable[str]:
    return [f"  and {count - _MOST} more"] if count > _MOST else []
