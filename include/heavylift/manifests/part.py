"""The manifests of a spec, rewritten for the phase provision: files, gaps, and what the schemas say."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.environments import Solver
from heavylift.errors import ConnectionConfigError, ServerUnavailableError, UnsupportedError
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap, PartProblem
from heavylift.facts.accelerators import load_accelerators
from heavylift.manifests.checking import REQUIREMENT, check_files
from heavylift.manifests.context import Settings
from heavylift.manifests.mapping import load_map
from heavylift.manifests.reading import Chunk, find_files, objects_in, read_file
from heavylift.manifests.report import Finding
from heavylift.manifests.translate import Translation, translate_files
from heavylift.spec.beside import all_beside, demand_beside, file_beside
from heavylift.spec.secrets import holds_secret, names_secret

if TYPE_CHECKING:
    from heavylift.spec.sections_parts import Manifests

REPORT = "manifests.report.json"
_NO_LOADER = (ServerUnavailableError, UnsupportedError, ConnectionConfigError)


@dataclass(frozen=True)
class ManifestsRequest:
    """The manifests that are rewritten, and the spec's file, beside which they lie."""

    spec_path: str
    section: Manifests


def make_manifests(request: ManifestsRequest) -> Made:
    """Rewrite the manifests, and hold them against the schemas of the target's version; writes nothing.

    A document with a secret in it, be it a Secret or a variable, is left out and told as a gap, for its text
    would lie in the evidence. Where the schemas cannot be had, nothing counts as valid.

    Idempotency: the same manifests give the same files.

    :raises NotFoundError: there are none.
    :raises SpecError: a file lies outside of the spec's folder, or none can be read.
    """
    section = request.section
    files = find_files(all_beside(request.spec_path, section.files))
    for path, _ in files:
        demand_beside(request.spec_path, path)
    settings = Settings(
        section.source.value,
        section.target.value,
        _version(section),
        load_map(file_beside(request.spec_path, section.map)),
        load_accelerators(),
    )
    done = translate_files(files, settings)
    if done.unreadable and not done.texts:
        raise done.unreadable[0].error
    made = Made("manifests", section.source.value, f"{section.target.value} {section.kubernetes_version}")
    gaps = [_gap(each) for each in done.report.untranslated]
    gaps += [
        PartGap(subject=each.file, what=f"it cannot be read: {each.error.got}", remedy=each.error.remedy)
        for each in done.unreadable
    ]
    accepted = [Accepted(each.subject, each.reason) for each in section.accept_untranslated]
    with tempfile.TemporaryDirectory(prefix="heavylift-manifests-") as scratch:
        gaps += _keep_clean(made, done, Path(scratch))
        _check(made, section, Path(scratch))
    made.gaps, made.unused = judge_gaps(gaps, accepted)
    made.counts = {
        "documents": done.documents,
        "changed": done.changed,
        "changes": len(done.report.changes),
        "requirements": len(done.report.requirements),
    }
    made.files[REPORT] = json.dumps(done.as_document(), indent=2, ensure_ascii=False) + "\n"
    return made


def _version(section: Manifests) -> tuple[int, int]:
    major, minor = section.kubernetes_version.split(".")
    return int(major), int(minor)


def _gap(each: Finding) -> PartGap:
    subject = ": ".join(part for part in (each.file, each.object, each.path) if part)
    return PartGap(subject=subject, what=each.why, remedy=each.remedy)


def _keep_clean(made: Made, done: Translation, scratch: Path) -> list[PartGap]:
    """Add the documents without a secret, in files below ``scratch`` as well; return the others."""
    gaps = []
    for number, (name, text) in enumerate(done.texts.items()):
        whole = scratch / f"{number}.whole"
        whole.write_bytes(text.encode())
        chunks = read_file(whole, name)
        whole.unlink()
        secrets = {chunk.number: found for chunk in chunks if (found := next(_secrets(chunk), ""))}
        gaps += [
            PartGap(
                subject=f"{name}: document {document}: {found}",
                what="it holds a secret, and therefore is not kept",
                remedy="move it by the spec's section secrets, and take its value out of the manifest",
            )
            for document, found in secrets.items()
        ]
        kept = "".join(chunk.text for chunk in chunks if chunk.data is None or chunk.number not in secrets)
        if any(chunk.data is not None and chunk.number not in secrets for chunk in chunks):
            made.files[name] = kept
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kept.encode())
    return gaps


def _secrets(chunk: Chunk) -> Iterator[str]:
    """Yield where a document holds a secret."""
    for _, root in objects_in(chunk.data):
        called = (root.get("metadata") or {}).get("name", "")
        if root["kind"] == "Secret" and (root.get("data") or root.get("stringData")):
            yield f"Secret/{called}"
        for name in _literals(root):
            yield f"{root['kind']}/{called}, {name}"
    if chunk.data is not None and holds_secret(chunk.text):
        yield "a value that looks like a secret"


def _literals(value: Any) -> Iterator[str]:
    """Yield the names of variables and fields with a secret written down."""
    if isinstance(value, list):
        for each in value:
            yield from _literals(each)
    elif isinstance(value, dict):
        name = value.get("name")
        given = value.get("value")
        if isinstance(name, str) and names_secret(name) and isinstance(given, str) and given:
            yield name
        for key, each in value.items():
            if isinstance(each, str) and each and names_secret(str(key)):
                yield str(key)
            else:
                yield from _literals(each)


def _check(made: Made, section: Manifests, scratch: Path) -> None:
    files = [(scratch / name, name) for name in made.files]
    try:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        checked = check_files(files, _version(section), Solver().tool(REQUIREMENT, python))
    except _NO_LOADER as error:
        problem = PartProblem(file="all files", problem=f"no schemas: {error.got}", invalid=False)
        made.problems.append(problem)
        return
    made.loader = f"{REQUIREMENT}, Kubernetes {section.kubernetes_version}"
    made.valid, made.unchecked = checked.count("valid"), checked.count("unchecked")
    made.invalid = checked.count("invalid") + len(checked.unreadable)
    made.problems += [
        PartProblem(file=each.file, problem=f"{each.object} {each.path}: {each.problem}"[:500])
        for each in checked.objects
        if each.verdict == "invalid"
    ]
    made.problems += [PartProblem(file=each.file, problem=each.error.got) for each in checked.unreadable]
