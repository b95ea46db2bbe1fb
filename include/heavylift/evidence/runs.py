"""Which runs of a migration have left evidence, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from heavylift.evidence.access_records import ACCESS_FOLDER
from heavylift.evidence.compliance_records import COMPLIANCE
from heavylift.evidence.endpoint_records import ENDPOINTS_FOLDER
from heavylift.evidence.feature_records import FEATURES_FOLDER
from heavylift.evidence.image_records import IMAGES_FOLDER
from heavylift.evidence.infra_records import INFRA_FOLDER, PROVISION_PHASE
from heavylift.evidence.inventory_records import ASSESS_FOLDERS
from heavylift.evidence.model_records import MODELS_FOLDER
from heavylift.evidence.optimize_records import OPTIMIZE_FOLDER
from heavylift.evidence.part_records import PARTS_FOLDER
from heavylift.evidence.paths import original_text
from heavylift.evidence.records import RunKey
from heavylift.evidence.registry_records import REGISTRIES_FOLDER
from heavylift.evidence.secret_records import SECRETS_FOLDER
from heavylift.evidence.store import EvidenceFile, EvidenceStore
from heavylift.evidence.stream_paths import STREAMS_FOLDER
from heavylift.evidence.switch_records import SWITCH_FOLDER

_OF_A_RUN = re.compile(r"(?P<migration>[^/]+)/(?P<phase>[^/]+)/(?P<run>[^/]+)/(?P<rest>.+)")
_PROVISIONED = frozenset(
    {ACCESS_FOLDER, ENDPOINTS_FOLDER, IMAGES_FOLDER, INFRA_FOLDER, PARTS_FOLDER, SECRETS_FOLDER}
)
_NO_PHASE = frozenset(
    {
        "audit",
        COMPLIANCE,
        "quarantine",
        "state",
        "uploads",
        "monitoring",
    }
)
_BESIDE = "~"
"""Begins the names of folders that lie beside the phases; no phase is called so."""


@dataclass(frozen=True)
class SeenRun:
    """A run as a listing shows it.

    :param datasets: folders of datasets, as path segments; ``databases`` and so on by name.
    :param gates: gates that were evaluated, by name.
    :param summaries: how many summaries it has.
    :param assessed: whether it has an inventory or a plan; ``provisioned`` whether it has generated
        or translated files, ``switched`` whether it looked at a switch, or made one, ``optimized``
        whether it judged settings, sizes or purchases.
    """

    key: RunKey
    first_at: datetime
    last_at: datetime
    datasets: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    summaries: int = 0
    databases: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    assessed: bool = False
    provisioned: bool = False
    switched: bool = False
    feature_stores: tuple[str, ...] = ()
    optimized: bool = False

    @property
    def title(self) -> str:
        """The run's id as Airflow or the user knows it."""
        return original_text(self.key.run) or self.key.run


async def list_runs(store: EvidenceStore, migration: str, phase: str = "") -> list[SeenRun]:
    """Return the runs of ``migration`` that have evidence, the latest last.

    :param phase: only this phase's; all where empty.
    """
    found: dict[RunKey, _Gathered] = {}
    async for file in store.files(f"{migration}/{phase}" if phase else migration):
        _note(found, file, migration)
    return _seen(found)


def runs_in(files: Iterable[EvidenceFile], migration: str) -> list[SeenRun]:
    """Return the runs that a listing of ``migration`` shows, the latest last."""
    found: dict[RunKey, _Gathered] = {}
    for file in files:
        _note(found, file, migration)
    return _seen(found)


def _note(found: dict[RunKey, _Gathered], file: EvidenceFile, migration: str) -> None:
    match = _OF_A_RUN.fullmatch(file.path)
    if match is None or match["phase"] in _NO_PHASE or match["phase"].startswith(_BESIDE):
        return
    key = RunKey(migration=migration, phase=match["phase"], run=match["run"])
    found.setdefault(key, _Gathered()).add(match["phase"], match["rest"], file.modified_at)


def _seen(found: dict[RunKey, _Gathered]) -> list[SeenRun]:
    return sorted((each.seen(key) for key, each in found.items()), key=lambda run: run.last_at)


class _Gathered:
    """What the files of one run tell."""

    def __init__(self) -> None:
        self._times: list[datetime] = []
        self._datasets: set[str] = set()
        self._gates: set[str] = set()
        self._databases: set[str] = set()
        self._streams: set[str] = set()
        self._registries: set[str] = set()
        self._feature_stores: set[str] = set()
        self._models: set[tuple[str, str]] = set()
        self._summaries = 0
        self._assessed = False
        self._provisioned = False
        self._switched = False
        self._optimized = False

    def add(self, phase: str, rest: str, modified_at: datetime) -> None:
        self._times = [min([*self._times, modified_at]), max([*self._times, modified_at])]
        folder, _, inside = rest.partition("/")
        named = {
            "gates": self._gates,
            "databases": self._databases,
            STREAMS_FOLDER: self._streams,
            REGISTRIES_FOLDER: self._registries,
            FEATURES_FOLDER: self._feature_stores,
        }
        if folder in named:
            named[folder].add(inside.partition("/")[0])
        elif folder == MODELS_FOLDER and inside.count("/") == 2:
            model, part, _ = inside.split("/")
            self._models.add((model, part.removeprefix("v-") if part.startswith("v-") else ""))
        elif folder in ASSESS_FOLDERS:
            self._assessed = True
        elif folder in _PROVISIONED and phase == PROVISION_PHASE:
            self._provisioned = True
        elif folder == SWITCH_FOLDER:
            self._switched = True
        elif folder == OPTIMIZE_FOLDER:
            self._optimized = True
        elif re.fullmatch(r"summary-\d+\.json", rest):
            self._summaries += 1
        elif re.fullmatch(r"(plan|verification-\d+|check-\d+)\.json|shards/.+", inside):
            self._datasets.add(folder)

    def seen(self, key: RunKey) -> SeenRun:
        return SeenRun(
            key,
            self._times[0],
            self._times[-1],
            tuple(sorted(self._datasets)),
            _names(self._gates),
            self._summaries,
            _names(self._databases),
            _names(self._streams),
            _names(self._registries),
            tuple(sorted((_text(model), _text(version)) for model, version in self._models)),
            self._assessed,
            self._provisioned,
            self._switched,
            _names(self._feature_stores),
            self._optimized,
        )


def _names(segments: set[str]) -> tuple[str, ...]:
    return tuple(sorted(_text(segment) for segment in segments))


def _text(segment: str) -> str:
    return original_text(segment) or segment
