"""The acts of the phase provision: each reads its files from the evidence, does one thing, keeps a record.

Nothing lies on a worker between two acts: files come from the evidence by their digest, state is where the
spec says, and a plan is made again before it is applied, so that none with secrets in it has to be kept.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.aio import in_thread
from heavylift.errors import ConflictError, NotFoundError, SpecError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.infra_evidence import ProvisionEvidence, read_provision
from heavylift.evidence.infra_records import (
    MOST_CHANGES,
    ApplicationRecord,
    DriftRecord,
    GenerationRecord,
    NotMade,
    RootChange,
    RootPlan,
    ScanFailure,
    ScanRecord,
    StageName,
    StagePlanRecord,
    bundle_path,
    infra_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import MAX_LISTED, Record, RunKey
from heavylift.evidence.store import JSON, EvidenceStore
from heavylift.infra.basis import Basis, files_of
from heavylift.infra.bundles import pack, unpack
from heavylift.infra.credentials import credentials_of
from heavylift.infra.folder import Infra, write
from heavylift.infra.generate import FOUNDATION_FOLDER
from heavylift.infra.roots import Root, root_of
from heavylift.infra.scanning import scan
from heavylift.infra.terraform import find_terraform

if TYPE_CHECKING:
    import threading

    from heavylift.connections import Connection
    from heavylift.infra.generate import Untranslated
    from heavylift.infra.plans import Planned
    from heavylift.spec.sections_platform import Infrastructure

LOCK_FILE = ".terraform.lock.hcl"
NoteApplied = Callable[[str, RootPlan, ApplicationRecord | None, str], Awaitable[None]]
"""Told before and after each root: the word, its plan, what came of it, and an error's code."""


@dataclass(frozen=True)
class Place:
    """The run, its evidence, and the target.

    :param connection: of the target; the machine's own identity where None.
    """

    store: EvidenceStore
    run: RunKey
    connection: Connection | None = None


async def generate_files(
    store: EvidenceStore,
    run: RunKey,
    basis: Basis,
    chosen: Infrastructure,
    state_connection: Connection | None,
    *,
    approved: bool,
) -> tuple[GenerationRecord, EvidenceRef]:
    """Generate, and keep the files and a record; the same plan and spec give the same digest.

    :param approved: the plan was; nothing of another is ever applied.
    :raises SpecError: the spec does not say where state is kept.
    """
    if chosen.state is None:
        raise SpecError(
            f"generating infrastructure for {run.migration}",
            got="no place for terraform's state in the spec",
            expected="infrastructure.state: s3://, gs://, az://, or file:// on a disk that all workers share",
            state="nothing was written",
            remedy="name one: a worker's own folder is gone after the task",
            code="7935",
        )
    wanted, made = files_of(basis, chosen, state_connection)
    with tempfile.TemporaryDirectory(prefix="heavylift-infra-") as folder:
        infra = write(made, wanted, Path(folder), approved=approved)
        data = pack(infra, dict(chosen.variables))
    sha = hashlib.sha256(data).hexdigest()
    bundle = await store.write_bytes(bundle_path(run, sha), data, JSON)
    not_made, unused = _judged(made.untranslated, chosen)
    accepted = sum(bool(each.accepted) for each in not_made)
    record = GenerationRecord(
        run=run,
        target=wanted.target,
        region=wanted.region,
        digest=infra.digest,
        plan_digest=basis.digest,
        folders=infra.folders,
        made=len(made.made),
        made_in={name: sum(each.folder == name for each in made.made) for name in infra.folders},
        untranslated=len(not_made),
        accepted=accepted,
        open_untranslated=len(not_made) - accepted,
        not_made=tuple(sorted(not_made, key=lambda each: (bool(each.accepted), each.component))[:MAX_LISTED]),
        unused=unused,
        files=dict(infra.files),
        bundle=bundle,
    )
    return record, await _keep(store, run, "generation", record)


async def scan_files(place: Place) -> tuple[ScanRecord, EvidenceRef]:
    """Have the scanner look at the run's files; what fails is in the record.

    :raises NotFoundError: there is no scanner, or the run has generated nothing.
    """
    evidence, data = await _files(place)
    made = _generated(evidence, place.run)

    def look(_stop: threading.Event, _tell: Callable[[None], None]) -> ScanRecord:
        with _folder(data, made.digest) as infra:
            found = scan(infra.folder)
        failures = [
            ScanFailure(check=f.check, name=f.name, resource=f.resource, where=f.where) for f in found.failed
        ]
        return ScanRecord(
            run=place.run,
            files_digest=made.digest,
            passed=found.passed,
            explained=found.skipped,
            failed=len(failures),
            failures=tuple(failures[:MAX_LISTED]),
        )

    record = await in_thread(look, _silent)
    return record, await _keep(place.store, place.run, "scan", record)


async def plan_stage(place: Place, stage: StageName, *, destroy: bool) -> tuple[StagePlanRecord, EvidenceRef]:
    """Have terraform plan all roots of a stage, and keep what it would do.

    :raises NotFoundError: the run has generated nothing.
    """
    evidence, data = await _files(place)
    made = _generated(evidence, place.run)

    def plan(stop: threading.Event, _tell: Callable[[None], None]) -> StagePlanRecord:
        with _folder(data, made.digest) as infra:
            roots = [
                _told(root, root.plan(destroy=destroy))
                for root in _roots(infra, roots_of_stage(infra.folders, stage, destroy=destroy), place, stop)
                if not destroy or _has_state(root)
            ]
        return StagePlanRecord(
            run=place.run,
            stage=stage,
            destroy=destroy,
            files_digest=made.digest,
            plan_digest=made.plan_digest,
            digest=hashlib.sha256(
                canonical_json({"roots": [[each.root, each.digest] for each in roots]})
            ).hexdigest(),
            roots=tuple(roots),
        )

    record = await in_thread(plan, _silent)
    return record, await _keep(place.store, place.run, f"plan-{stage}", record)


async def apply_stage(
    place: Place, plan: StagePlanRecord, note: NoteApplied
) -> tuple[ApplicationRecord, ...]:
    """Do what a plan says, root by root, each proved by a second plan that is empty.

    That somebody approved it is the caller's to demand. What is done already is found to be done, and not
    done again; a root that would get anything else than planned is refused.

    :param note: told before and after each root, so that nothing is changed that the trail knows nothing of.
    :raises ConflictError: terraform would do something else now, or other files were generated since.
    """
    evidence, data = await _files(place)
    made = _generated(evidence, place.run)
    if made.digest != plan.files_digest:
        raise ConflictError(
            f"applying the {plan.stage} stage of {place.run.migration}",
            got=f"files with the digest {made.digest}",
            expected=f"those that the plan was made of, {plan.files_digest}",
            state="nothing was changed",
            remedy="clear the task that plans, with Downstream",
            code="7936",
        )
    done = []
    for planned in plan.roots:
        act = _application(place, plan, planned, data)
        if planned.change_count:
            await note("approved", planned, None, "")
        try:
            record = await in_thread(act, _silent)
        except BaseException as error:
            await note("failed", planned, None, str(getattr(error, "code", "")) or type(error).__name__)
            raise
        ref = await _keep(place.store, place.run, f"applied-{planned.root}", record)
        await note(ref.path, planned, record, "")
        done.append(record)
    return tuple(done)


async def find_drift(place: Place) -> tuple[DriftRecord, EvidenceRef]:
    """Tell what differs between files, state and platform in all roots that were applied; change nothing."""
    evidence, data = await _files(place)
    made = _generated(evidence, place.run)

    def look(stop: threading.Event, _tell: Callable[[None], None]) -> DriftRecord:
        with _folder(data, made.digest) as infra:
            roots = [
                _told(root, root.drift())
                for root in _roots(infra, infra.folders, place, stop)
                if _has_state(root)
            ]
        return DriftRecord(run=place.run, files_digest=made.digest, roots=tuple(roots))

    record = await in_thread(look, _silent)
    return record, await _keep(place.store, place.run, "drift", record)


def roots_of_stage(folders: Sequence[str], stage: StageName, *, destroy: bool) -> list[str]:
    """Return a stage's roots in their order: making begins with the foundation, destroying ends with it."""
    waves = [name for name in folders if name != FOUNDATION_FOLDER]
    of_foundation = (stage == "first") != destroy
    if of_foundation:
        return [FOUNDATION_FOLDER]
    return list(reversed(waves)) if destroy else waves


def _digest_over(roots: Sequence[RootPlan]) -> str:
    told = canonical_json({"roots": [[each.root, each.digest] for each in roots]})
    return hashlib.sha256(told).hexdigest()


def _application(
    place: Place, plan: StagePlanRecord, planned: RootPlan, data: bytes
) -> Callable[[threading.Event, Callable[[None], None]], ApplicationRecord]:
    def act(stop: threading.Event, _tell: Callable[[None], None]) -> ApplicationRecord:
        with _folder(data, plan.files_digest) as infra:
            [root] = _roots(infra, [planned.root], place, stop)
            if planned.lock:
                (root.folder / LOCK_FILE).write_text(planned.lock)
            counts: Mapping[str, int] = {}
            # What was planned, made once more: none with its secrets has to be kept for this.
            if root.plan(destroy=plan.destroy).empty:
                root.settle(destroy=plan.destroy)
                kept = len(root.resources())
            else:
                applied = root.apply(planned.digest, destroy=plan.destroy)
                counts, kept = applied.counts, applied.kept
        return ApplicationRecord(
            run=place.run,
            stage=plan.stage,
            root=planned.root,
            destroy=plan.destroy,
            files_digest=plan.files_digest,
            digest=planned.digest,
            counts=dict(counts),
            kept=kept,
            proved=True,
        )

    return act


async def _files(place: Place) -> tuple[ProvisionEvidence, bytes]:
    evidence = await read_provision(place.store, place.run)
    return evidence, await place.store.read_verified(_generated(evidence, place.run).bundle)


def _generated(evidence: ProvisionEvidence, run: RunKey) -> GenerationRecord:
    if evidence.generation is None:
        raise NotFoundError(
            f"reading the generated files of run {run.run}",
            got="none in the evidence store",
            expected="what the task generate has kept",
            state="nothing was touched",
            remedy="clear the task generate with Downstream",
            code="7937",
        )
    return evidence.generation.record


@contextmanager
def _folder(data: bytes, digest: str) -> Iterator[Infra]:
    """Yield the files in a folder that only this process can read, and that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="heavylift-infra-") as home:
        yield unpack(data, Path(home), digest)


def _roots(infra: Infra, names: Sequence[str], place: Place, stop: threading.Event) -> list[Root]:
    terraform = find_terraform(credentials_of(infra.target, place.connection), stop)
    return [root_of(infra, name, terraform) for name in names]


def _has_state(root: Root) -> bool:
    root.prepare()
    return bool(root.resources())


def _told(root: Root, planned: Planned) -> RootPlan:
    lock = root.folder / LOCK_FILE
    return RootPlan(
        root=planned.root,
        digest=planned.digest,
        counts=planned.counts,
        change_count=len(planned.changes),
        changes=tuple(
            RootChange(address=each.address, type=each.type, act=each.act, fields=each.fields)
            for each in planned.changes[:MOST_CHANGES]
        ),
        drifted=len(planned.drifted),
        lock=lock.read_text() if lock.exists() else "",
    )


def _judged(
    untranslated: Sequence[Untranslated], chosen: Infrastructure
) -> tuple[list[NotMade], tuple[str, ...]]:
    found: list[NotMade] = []
    met: set[str] = set()
    for each in untranslated:
        fitting = [a for a in chosen.accept_untranslated if fnmatchcase(each.id, a.component)]
        met.update(a.component for a in fitting)
        found.append(
            NotMade(
                component=each.id,
                capability=each.capability,
                reason=each.reason,
                remedy=each.remedy,
                accepted=fitting[0].reason if fitting else "",
            )
        )
    unused = [a.component for a in chosen.accept_untranslated if a.component not in met]
    return found, tuple(unused)


async def _keep(store: EvidenceStore, run: RunKey, kind: str, record: Record) -> EvidenceRef:
    _number, ref = await write_next(store, lambda number: infra_path(run, kind, number), record)
    return ref


def _silent(_progress: None) -> None:
    """Nothing is told between the two ends of an act."""
