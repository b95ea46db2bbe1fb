"""Evidence beside what a phase is made of, one line a piece: for the report, ``status`` and the board.

Each kind of record that has no section of its own is told here, by :data:`TELLERS`. A test holds every kind
of evidence to one of these places, or to a reason why nobody is shown it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic

from heavylift.evidence.alert_records import ALERTS_FOLDER, AlertRecord, DashboardRecord, LogQueryRecord
from heavylift.evidence.capacity_records import CapacityRecord
from heavylift.evidence.compliance_records import COMPLIANCE, ComplianceRecord, ScanRecord
from heavylift.evidence.endpoint_records import ENDPOINTS_FOLDER, EndpointsRecord
from heavylift.evidence.envelope_records import ENVELOPES_FOLDER, EnvelopeRecord
from heavylift.evidence.fence_records import FenceRecord
from heavylift.evidence.image_records import IMAGES_FOLDER, ImagesRecord
from heavylift.evidence.loss_records import LossRecord
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.parsing import RecordT
from heavylift.evidence.paths import two_way_path
from heavylift.evidence.registry_records import REGISTRIES_FOLDER, RegistrySwitchRecord
from heavylift.evidence.run_evidence import read_kept
from heavylift.evidence.secret_records import SECRETS_FOLDER, SecretsRecord
from heavylift.evidence.services import ServiceEndRecord, service_end_path, service_run_path
from heavylift.evidence.stream_paths import STREAMS_FOLDER
from heavylift.evidence.stream_records import StreamGroupsRecord
from heavylift.evidence.switch_records import SWITCH_FOLDER
from heavylift.evidence.table_records import ReverseRecord, StreamEndRecord
from heavylift.evidence.two_way_records import TwoWayRecord
from heavylift.evidence.workload_records import WORKLOAD_FOLDER, WorkloadTestRecord
from heavylift.report import beside_words as words
from heavylift.report.beside_words import Said, Watched

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore

MOST = 200
"""Pieces that one page or screen tells of."""

DATABASES, MONITORING = "databases", "monitoring"
_DEEPEST = 3
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


@dataclass(frozen=True)
class Told:
    """One piece of evidence in a line.

    :param section: what sort of thing it is about; ``subject`` what of it.
    :param passed: None where it proves nothing by itself.
    """

    section: str
    subject: str
    passed: bool | None
    words: str
    at: datetime
    path: str

    @property
    def document(self) -> dict[str, Any]:
        """The same as ``heavylift status --json`` gives it."""
        fields = ("section", "subject", "passed", "words", "at", "path")
        return {name: getattr(self, name) for name in fields}


@dataclass(frozen=True)
class Teller(Generic[RecordT]):
    """How records of one kind are found and told.

    :param name: a regular expression of their path below the run's folder, or below the migration's.
    :param phases: whose reports show what belongs to no run; empty of what lies in a run's folder.
    :param shown: whether the board shows it in this list, and not in a section of its own.
    """

    section: str
    model: type[RecordT]
    name: str
    tell: Callable[[RecordT], Said]
    phases: frozenset[str] = frozenset()
    shown: bool = True


def _of(*phases: str) -> frozenset[str]:
    return frozenset(phases)


TELLERS: tuple[Teller[Any], ...] = (
    Teller("endpoints", EndpointsRecord, rf"{ENDPOINTS_FOLDER}/[a-z-]+-\d+", words.endpoints),
    Teller("secrets", SecretsRecord, rf"{SECRETS_FOLDER}/[a-z]+-\d+", words.secrets),
    Teller("images", ImagesRecord, rf"{IMAGES_FOLDER}/[a-z]+-\d+", words.images),
    Teller("alerts", AlertRecord, rf"{ALERTS_FOLDER}/translation-\d+", words.alerts),
    Teller("dashboards", DashboardRecord, rf"{ALERTS_FOLDER}/dashboard-\d+", words.dashboard),
    Teller("log queries", LogQueryRecord, rf"{ALERTS_FOLDER}/queries-\d+", words.log_queries),
    Teller("capacity", CapacityRecord, rf"{SWITCH_FOLDER}/capacity-\d+", words.capacity),
    Teller("losses", LossRecord, rf"{SWITCH_FOLDER}/losses-\d+", words.losses),
    Teller("clients", RegistrySwitchRecord, rf"{REGISTRIES_FOLDER}/[^/]+/switch-\d+", words.registry),
    Teller("writes", FenceRecord, rf"{DATABASES}/[^/]+/fence-\d+", words.fence),
    Teller("way back", ReverseRecord, rf"{DATABASES}/[^/]+/reverse-\d+", words.reverse),
    Teller("changes", StreamEndRecord, rf"{DATABASES}/[^/]+/end-\d+", words.stream_end),
    Teller("consumers", StreamGroupsRecord, rf"{STREAMS_FOLDER}/[^/]+/groups-\d+", words.groups),
    Teller("two ways", TwoWayRecord, r"[^/]+/two-way-\d+", words.two_way),
    Teller("services", ServiceEndRecord, r"[^/]+/service-\d+-end", words.service),
    Teller(
        "envelopes",
        EnvelopeRecord,
        rf"{ENVELOPES_FOLDER}/[^/]+/[a-z]+-\d+",
        words.envelope,
        _of("transfer"),
    ),
    Teller(
        "rules",
        ComplianceRecord,
        rf"{COMPLIANCE}/checks/check-\d+",
        words.compliance,
        _of("provision", "transfer", "sync", "cutover"),
    ),
    Teller(
        "scans",
        ScanRecord,
        rf"{COMPLIANCE}/scans/[^/]+/scan-\d+",
        words.scan,
        _of("provision", "transfer", "sync"),
    ),
    Teller(
        "watches",
        Watched,
        rf"{MONITORING}/[^/]+/(?!profile-)[a-z]+-\d+",
        words.watch,
        _of("monitor", "cutover"),
    ),
    Teller(
        "workload",
        WorkloadTestRecord,
        rf"{WORKLOAD_FOLDER}/[a-z]+-\d+",
        words.workload,
        _of("-"),
        shown=False,
    ),
)
"""What is told in a line; those of a run before those of the migration."""

_MIGRATION_FOLDERS = (ENVELOPES_FOLDER, COMPLIANCE, MONITORING, WORKLOAD_FOLDER)
_RUN_FOLDERS = (
    ENDPOINTS_FOLDER, SECRETS_FOLDER, IMAGES_FOLDER, ALERTS_FOLDER, SWITCH_FOLDER, REGISTRIES_FOLDER,
    DATABASES, STREAMS_FOLDER,
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A piece of evidence that a teller tells of."""

    teller: Teller[Any]
    path: str


def find(paths: Iterable[str], folder: str, *, of_run: bool) -> list[Found]:
    """Return the newest piece of each kind among ``paths``, in the order of :data:`TELLERS`.

    :param folder: the run's, or the migration's; ``of_run`` tells which.
    """
    newest: dict[tuple[int, str], tuple[int, str]] = {}
    for path in paths:
        below = path.removeprefix(f"{folder}/").removesuffix(".json")
        if below.count("/") > _DEEPEST:
            continue
        for place, teller in enumerate(TELLERS):
            if bool(teller.phases) is of_run or not re.fullmatch(teller.name, below):
                continue
            match = _LAST_NUMBER.search(below)
            number = int(match[0]) if match else 0
            # Each dashboard is one of its own, whatever its number.
            kind = below if teller.model is DashboardRecord else _LAST_NUMBER.sub("", below)
            if newest.get((place, kind), (-1, ""))[0] < number:
                newest[place, kind] = number, path
    return [Found(TELLERS[place], path) for (place, _), (_, path) in sorted(newest.items())][:MOST]


def told(found: Found, record: Any) -> Told:
    """Return a record in a line."""
    said = found.teller.tell(record)
    return Told(found.teller.section, said.subject, said.passed, said.words, said.at, found.path)


async def read_beside(
    store: EvidenceStore, run: RunKey, datasets: Sequence[str] = ()
) -> tuple[tuple[Told, EvidenceRef], ...]:
    """Return what one run has left beside what its phase is made of, and what belongs to its phase.

    :raises AuditError: a record is damaged.
    """
    folders = [f"{run.folder}/{name}" for name in _RUN_FOLDERS]
    paths = [path for folder in folders for path in await store.names(folder)]
    for name in datasets:
        paths += await _of_dataset(store, run, name)
    of_run = find(paths, run.folder, of_run=True)
    beside = [each for each in await _of_migration(store, run.migration) if run.phase in each.teller.phases]
    return await _read(store, [*of_run, *beside])


async def read_of_migration(store: EvidenceStore, migration: str) -> tuple[Told, ...]:
    """Return what belongs to a migration and to none of its runs.

    :raises AuditError: a record is damaged.
    """
    return tuple(each for each, _ in await _read(store, await _of_migration(store, migration)))


async def _of_dataset(store: EvidenceStore, run: RunKey, dataset: str) -> list[str]:
    synced = await latest_number(store, lambda number: two_way_path(run, dataset, number))
    served = await latest_number(store, lambda number: service_run_path(run, dataset, number))
    ended = service_end_path(run, dataset, served)
    return [
        *([two_way_path(run, dataset, synced)] if synced else []),
        *([ended] if served and await store.exists(ended) else []),
    ]


async def _of_migration(store: EvidenceStore, migration: str) -> list[Found]:
    paths = [path for name in _MIGRATION_FOLDERS for path in await store.names(f"{migration}/{name}")]
    return find(paths, migration, of_run=False)


async def _read(store: EvidenceStore, found: Sequence[Found]) -> tuple[tuple[Told, EvidenceRef], ...]:
    rows = []
    for each in found:
        kept = await read_kept(store, each.path, each.teller.model)
        if kept:
            rows.append((told(each, kept.record), kept.ref))
    return tuple(rows)
