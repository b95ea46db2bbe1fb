"""Checks one version of a model before it is run anywhere: its files, its needs, and what has arrived."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from heavylift.environments import Solved, Solver
from heavylift.errors import ServerUnavailableError
from heavylift.evidence.model_records import ModelCheckRecord, ModelFile
from heavylift.evidence.records import ExpectationOutcome, Finding, Severity
from heavylift.models import modelscan
from heavylift.models.environment_files import environment_findings
from heavylift.models.fetching import FetchedModel
from heavylift.models.judging import golden_findings
from heavylift.models.layout import Layout, read_layout
from heavylift.models.looking import Look, Trust
from heavylift.models.requests import CheckOptions, ModelRequest
from heavylift.models.rules import accepting, finding
from heavylift.models.runtime import minor_of, plain_requirements, requirement_findings, runtime_findings
from heavylift.models.scanning import look_at_files
from heavylift.models.work import Work

MAX_ON_ARRIVAL = 50
"""How many files that differ are named each; the digests of all are in the record."""


@dataclass(frozen=True)
class Checked:
    """A model that was looked at.

    :param looks: one for each file.
    """

    fetched: FetchedModel
    layout: Layout
    looks: tuple[Look, ...]
    scanned: modelscan.Scanned
    findings: tuple[Finding, ...]

    @property
    def is_safe(self) -> bool:
        """Nothing that was found keeps it from being run."""
        return all(each.severity is not Severity.BLOCKER for each in self.findings)


def check(
    request: ModelRequest,
    source: FetchedModel,
    target: FetchedModel | None,
    work: Work,
    expectations: tuple[ExpectationOutcome, ...] = (),
) -> ModelCheckRecord:
    """Check the source's model, and the target's against it where it has arrived.

    :param expectations: what came of those of the golden inputs.
    """
    began = time.monotonic()
    options = request.check
    solver = Solver(options.solve_seconds, options.offline)
    checked = look(source, options, solver, work)
    work.tell("solving its environment")
    solved, unsolved = _solve(checked.layout, options, solver)
    findings = [
        *checked.findings,
        *requirement_findings(checked.layout),
        *runtime_findings(checked.layout, options.source_runtime, options.target_runtime, solved.lock),
        *unsolved,
        *_signature_findings(checked.layout),
        *golden_findings(expectations),
    ]
    if target is not None:
        findings += _arrived(source, target)
        findings += _same_signature(checked.layout, target, options)
    findings = accepting(list(dict.fromkeys(findings)), options.accept)
    blockers = [each for each in findings if each.severity is Severity.BLOCKER]
    return ModelCheckRecord(
        run=request.run,
        model=request.model,
        version=request.version,
        source_url=source.url,
        target_url=target.url if target else "",
        form=checked.layout.form,
        flavors=checked.layout.flavors,
        python=checked.layout.python,
        runtime=options.target_runtime.name if options.target_runtime else "",
        signature_sha256=signature_digest(checked.layout),
        digest=source.digest,
        target_digest=target.digest if target else "",
        files=tuple(_files(checked)),
        scanner=f"modelscan {checked.scanned.version}" if checked.scanned.version else "",
        requirements=checked.layout.requirements,
        lock=solved.lock,
        findings=tuple(findings),
        accepted=tuple(sorted(options.accept)),
        expectations=expectations,
        statement=_statement(checked, blockers, target),
        passed=not blockers,
        seconds=round(time.monotonic() - began, 3),
    )


def look(fetched: FetchedModel, options: CheckOptions, solver: Solver, work: Work) -> Checked:
    """Look at a model's files and read what it says of itself; nothing of it is run."""
    layout = read_layout(fetched.folder, fetched.names, options.requirements)
    work.check()
    work.tell(f"looking at {len(fetched.files)} files")
    looks = look_at_files(fetched.folder, fetched.names, Trust(options.trusted))
    work.check()
    scanned = (
        modelscan.scan(fetched.folder, solver)
        if options.scanner
        else modelscan.Scanned(problem="switched off")
    )
    found = [*_form_findings(layout), *_passed_by(fetched), *_looked(looks, scanned)]
    found += environment_findings(fetched.folder, fetched.names, layout.environments)
    if scanned.problem:
        found.append(finding("scanner-unavailable", "modelscan", scanned.problem))
    return Checked(fetched, layout, tuple(looks), scanned, tuple(accepting(found, options.accept)))


def _looked(looks: list[Look], scanned: modelscan.Scanned) -> Iterator[Finding]:
    for path, detail in scanned.issues:
        yield finding("scanner-issue", path, detail)
    for each in looks:
        for suspicion in each.suspicions:
            yield finding(suspicion.rule, each.path, suspicion.detail)
        if each.kind.endswith("pickle"):
            yield finding("pickled-model", each.path, "it is a pickle: a program that its loader carries out")
        if not looked_at_by(each, scanned) and not each.suspicions:
            yield finding("unscanned-file", each.path, f"neither scanner understands it ({each.kind})")


def looked_at_by(each: Look, scanned: modelscan.Scanned) -> tuple[str, ...]:
    """Return who has read a file from beginning to end."""
    ours = ("opcodes" if "pickle" in each.kind else "content",) if each.understood else ()
    return (*ours, *(("modelscan",) if each.path in scanned.files else ()))


def _files(checked: Checked) -> Iterator[ModelFile]:
    looks = {each.path: each for each in checked.looks}
    for file in checked.fetched.files:
        each = looks[file.path]
        yield ModelFile(
            path=file.path,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            kind=each.kind,
            looked_at_by=looked_at_by(each, checked.scanned),
        )


def _form_findings(layout: Layout) -> Iterator[Finding]:
    if not layout.form:
        yield finding("unknown-form", layout.path, "its name tells no form that can be loaded")
    for rule, detail in layout.problems:
        yield finding(rule, "MLmodel", detail)


def _passed_by(fetched: FetchedModel) -> Iterator[Finding]:
    for path, what in sorted(fetched.passed_by.items()):
        yield finding("unscanned-file", path, f"it was neither fetched nor looked at ({what})")


def target_python(layout: Layout, options: CheckOptions) -> str:
    """Return the minor version of Python that the target runs the model with."""
    runtime = options.target_runtime
    return minor_of((runtime.python if runtime else "") or layout.python or "3.11")


def _solve(layout: Layout, options: CheckOptions, solver: Solver) -> tuple[Solved, list[Finding]]:
    runtime = options.target_runtime
    try:
        solved = solver.solve(
            plain_requirements(layout),
            target_python(layout, options),
            constraints=runtime.constraints if runtime else (),
            platform=runtime.platform if runtime else "",
        )
    except ServerUnavailableError as error:
        return Solved(), [finding("environment-unsolved", "requirements.txt", error.got)]
    if solved.problem:
        return solved, [finding("environment-unsolvable", "requirements.txt", solved.problem)]
    return solved, []


def signature_digest(layout: Layout) -> str:
    """Return the digest of a model's signature; empty where it has none."""
    if not layout.signature:
        return ""
    return hashlib.sha256(json.dumps(layout.signature, sort_keys=True).encode()).hexdigest()


def _signature_findings(layout: Layout) -> Iterator[Finding]:
    if layout.form == "mlflow" and not layout.signature:
        yield finding("signature-missing", "MLmodel", "the model does not say what its inputs are")


def _same_signature(layout: Layout, target: FetchedModel, options: CheckOptions) -> Iterator[Finding]:
    there = read_layout(target.folder, target.names, options.requirements)
    if signature_digest(layout) != signature_digest(there):
        yield finding(
            "signature-differs", "MLmodel", "source and target say different things of their inputs"
        )


def _arrived(source: FetchedModel, target: FetchedModel) -> Iterator[Finding]:
    """Yield which of the source's files are not on the target as they are on the source."""
    there = {each.path: each for each in target.files}
    # Files that are given by themselves may be called differently on both sides.
    if len(source.files) == len(target.files) == 1:
        there = {source.files[0].path: target.files[0]}
    named = 0
    for file in source.files:
        beside = there.pop(file.path, None)
        if beside is not None and beside.sha256 == file.sha256:
            continue
        named += 1
        if named > MAX_ON_ARRIVAL:
            continue
        if beside is None:
            yield finding("file-missing", file.path, "the target does not have it")
        else:
            yield finding(
                "digest-differs",
                file.path,
                f"SHA-256 {file.sha256[:16]}… on the source, {beside.sha256[:16]}… there",
            )
    if named > MAX_ON_ARRIVAL:
        yield finding("digest-differs", "…", f"{named - MAX_ON_ARRIVAL} more files are missing or differ")
    for name in sorted(there)[:MAX_ON_ARRIVAL]:
        yield finding("file-extra", name, "the source does not have it")


def _statement(checked: Checked, blockers: list[Finding], target: FetchedModel | None) -> str:
    files = len(checked.looks)
    if blockers:
        rules = ", ".join(dict.fromkeys(each.rule for each in blockers))
        return f"{len(blockers)} findings stand in the way: {rules}"
    arrived = f", and all {files} are on the target, byte for byte" if target else ""
    return (
        f"all {files} files were looked at and none acts on its loader; its environment can be built{arrived}"
    )
