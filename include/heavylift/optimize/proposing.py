"""From results to a change that a person can review: recommendations, and a patch of the migration's spec.

Nothing is applied: the patch is a file. What the phase provision reads (``infrastructure.instance_types``)
is in it; what no phase sets is named as to be done by hand.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from heavylift.errors import ConflictError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.numbered import write_next
from heavylift.evidence.optimize_evidence import OptimizeEvidence, read_optimize
from heavylift.evidence.optimize_records import (
    ProposalRecord,
    Recommendation,
    patch_path,
    proposal_path,
)
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore
from heavylift.optimize.recommending import (
    INSTANCE_TYPES,
    Wish,
    mix_recommendation,
    size_recommendation,
    trials_recommendation,
)

PATCH = "text/x-diff"


async def propose_changes(
    store: EvidenceStore, run: RunKey, spec_path: Path, wishes: Mapping[str, Wish]
) -> tuple[ProposalRecord, EvidenceRef]:
    """Write what the run's results recommend, and the patch of the spec that would do it.

    A second call on the same results and spec proposes the same, with the same digest.

    :param wishes: by the name of a study or size: what of the spec its result may change.
    :raises ConflictError: the spec would not come out as it should; no patch is written.
    """
    evidence = await read_optimize(store, run)
    recommendations, nothing = _recommended(evidence, wishes)
    before = spec_path.read_text(encoding="utf-8")
    types = {
        change.field.removeprefix(INSTANCE_TYPES): change.after
        for each in recommendations
        for change in each.changes
        if change.where == "spec"
    }
    after = patched(before, types) if types else before
    patch = unified(spec_path.name, before, after)
    digest = _digest(recommendations, patch)
    kept = None
    if patch:
        kept = await store.write_bytes(patch_path(run, digest), patch.encode(), PATCH)
    record = ProposalRecord(
        run=run,
        digest=digest,
        spec_sha256=hashlib.sha256(before.encode()).hexdigest(),
        made_of=tuple(result.ref for result in evidence.results),
        recommendations=tuple(recommendations),
        nothing_for=tuple(nothing),
        patch=kept,
        statement=_statement(recommendations, kept),
    )
    _, ref = await write_next(store, lambda number: proposal_path(run, number), record)
    return record, ref


def _recommended(
    evidence: OptimizeEvidence, wishes: Mapping[str, Wish]
) -> tuple[list[Recommendation], list[str]]:
    made: list[Recommendation] = []
    nothing: list[str] = []
    for name, study in evidence.trials.items():
        _take(trials_recommendation(study, wishes.get(f"trials {name}", Wish())), name, made, nothing)
    for name, size in evidence.sizes.items():
        _take(size_recommendation(size, wishes.get(f"rightsizing {name}", Wish())), name, made, nothing)
    for name, mix in evidence.mixes.items():
        _take(mix_recommendation(mix, wishes.get(f"mix {name}", Wish())), name, made, nothing)
    return made, nothing


def _take(found: Recommendation | str, name: str, made: list[Recommendation], nothing: list[str]) -> None:
    if isinstance(found, str):
        nothing.append(f"{name}: {found}")
    else:
        made.append(found)


def patched(text: str, instance_types: Mapping[str, str]) -> str:
    """Return a spec with other instance types; comments, order and everything else stay as they are.

    :raises ConflictError: it would not come out so.
    """
    from heavylift.optimize.yaml_text import parsed, with_value

    made, wanted = text, parsed(text)
    for source, target in instance_types.items():
        made = with_value(made, ("infrastructure", "instance_types", source), target)
    section = wanted.get("infrastructure") or {}
    types = {**(section.get("instance_types") or {}), **instance_types}
    if parsed(made) != {**wanted, "infrastructure": {**section, "instance_types": types}}:
        raise ConflictError(
            "writing a patch of the spec",
            got="a file that would say something else as well",
            expected="the same spec with other instance types",
            state="no patch was written; the spec is as it was",
            remedy="write infrastructure.instance_types into the spec by hand",
            code="9263",
        )
    return made


def unified(name: str, before: str, after: str) -> str:
    """Return the difference of two texts as a patch; empty where there is none."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    )


def _digest(recommendations: Sequence[Recommendation], patch: str) -> str:
    text = json.dumps([[each.model_dump(mode="json") for each in recommendations], patch], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _statement(recommendations: Sequence[Recommendation], patch: EvidenceRef | None) -> str:
    if not recommendations:
        return "nothing is recommended: what was judged is as good as what is known, or too little is known"
    by_hand = sum(any(change.where == "by hand" for change in each.changes) for each in recommendations)
    where = f"the patch {patch.path} of the spec" if patch else "no change of the spec"
    count = len(recommendations)
    return f"{count} recommendations: {where}" + (f", {by_hand} to be done by hand" if by_hand else "")
