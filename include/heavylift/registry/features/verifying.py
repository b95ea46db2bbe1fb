"""Proves a feature store's move: definitions, whole histories, what is served, and joins by time.

Both sides are read afresh; nothing that the mover noted is believed.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import IncompleteError
from heavylift.evidence.feature_records import (
    FeatureHistoryProof,
    FeatureJoinProof,
    FeatureOnlineProof,
    FeatureVerificationRecord,
    HistorySummary,
)
from heavylift.evidence.registry_records import MAX_NAMED
from heavylift.evidence.wording import counted
from heavylift.registry.features.fitting import VIEW
from heavylift.registry.features.histories import SOURCE, TARGET, Histories, RowDifference, opened_histories
from heavylift.registry.features.moving import FeatureMove, opened
from heavylift.registry.features.online import Sides, compare_served
from heavylift.registry.features.planning import PlannedView
from heavylift.registry.features.ports import HeldView
from heavylift.registry.settling import Judgement

if TYPE_CHECKING:
    from heavylift.registry.features.feast_process import FeastProcesses
    from heavylift.registry.features.requests import FeatureRequest
    from heavylift.registry.work import Work

HISTORY, COLUMN, ROW, KEY, JOIN = "history", "history column", "history row", "online key", "joined row"
OWN_JOIN = "joined row of the target itself"
_OWN, _TOLD = "own", 300


@dataclass
class Proofs:
    """What was found."""

    judgement: Judgement = field(default_factory=Judgement)
    histories: list[FeatureHistoryProof] = field(default_factory=list)
    online: list[FeatureOnlineProof] = field(default_factory=list)
    joins: list[FeatureJoinProof] = field(default_factory=list)
    rows_wrong: int = 0

    def differ(self, what: str, named: list[RowDifference], count: int) -> None:
        """Take in differences of rows: all are counted, and some are named."""
        from heavylift.evidence.registry_records import RegistryDifference

        self.rows_wrong += count
        room = max(MAX_NAMED - len(self.judgement.differences), 0)
        self.judgement.differences += [
            RegistryDifference.model_validate(
                {"what": what, "id": each.id, "kind": each.kind, "fields": each.fields}
            )
            for each in named[:room]
        ]

    @property
    def passed(self) -> bool:
        """Tell whether nothing differs and something was compared."""
        verdicts = [each.passed for each in self.histories]
        verdicts += [each.passed for each in self.online] + [each.passed for each in self.joins]
        return not self.differences and bool(verdicts) and all(verdicts)

    @property
    def differences(self) -> int:
        """How many things differ."""
        return self.judgement.difference_count + self.rows_wrong


async def verify_feature_store(
    request: FeatureRequest, work: Work, processes: FeastProcesses | None = None
) -> FeatureVerificationRecord:
    """Read both sides afresh and compare them; changes nothing."""
    began, found = time.monotonic(), Proofs()
    async with opened(request, work, processes) as move:
        move.look()
        views = [each for each in move.plan.views if not each.fitted.impossible]
        found.judgement.compare(
            VIEW,
            {each.name: each.fitted.leaves for each in move.plan.views},
            {each.name: each.leaves_there for each in move.plan.views if each.there},
        )
        found.judgement.stays(VIEW, len(move.plan.gone))
        for number, view in enumerate(views):
            if view.there is not None:
                move.tell(f"feature view {view.name}", number, len(views))
                await _view(move, view, view.there, found)
        return _record(request, move, found, began)


async def _view(move: FeatureMove, view: PlannedView, there: HeldView, found: Proofs) -> None:
    if not await move.places[1].listed(there.view.offline):
        found.differ(HISTORY, [RowDifference("missing", f"{view.name}: {there.view.offline}")], 1)
        return
    with tempfile.TemporaryDirectory(prefix="heavylift-features-") as folder:
        scratch = Path(folder)
        ours = await move.places[0].local(view.held.view.offline, scratch / SOURCE)
        theirs = await move.places[1].local(there.view.offline, scratch / TARGET)
        # Columns that only the target's definition has are told by the definitions.
        own, form = view.held.history, there.history
        deletions = bool(own.deleted and form.deleted)
        kept = {"deletions": deletions, "whole_lists": view.whole_lists}
        with opened_histories(view.fitted.view, scratch, **kept) as histories:
            histories.read(SOURCE, ours, own)
            histories.read(TARGET, theirs, form)
            _history(view, histories, found)
            if view.fitted.view.online:
                _online(move, view, there, histories, found)
            _joins(move, view, there, histories, found, scratch)


def _history(view: PlannedView, histories: Histories, found: Proofs) -> None:
    ours, theirs = histories.summary(SOURCE), histories.summary(TARGET)
    counts = {"equal": ours.rows, "different": 0, "missing": 0, "extra": 0}
    named: list[RowDifference] = []
    if ours != theirs:
        counts, named = histories.differences(MAX_NAMED)
    wrong = sum(counts[each] for each in ("different", "missing", "extra"))
    found.differ(ROW, named, wrong)
    lacking = {side: names for side, names in histories.lacking.items() if names}
    columns = [RowDifference("missing", f"{view.name}/{name} ({side})")
               for side, names in lacking.items() for name in names]  # fmt: skip
    found.differ(COLUMN, columns, len(columns))
    found.histories.append(
        FeatureHistoryProof(
            view=view.name,
            source=HistorySummary(**asdict(ours)),
            target=HistorySummary(**asdict(theirs)),
            **counts,
            lacking=lacking,
            passed=ours == theirs and not lacking,
        )
    )


def _online(
    move: FeatureMove, view: PlannedView, there: HeldView, histories: Histories, found: Proofs
) -> None:
    options = move.request.options
    keys = histories.sample_keys(options.sample, options.seed)
    sides = Sides(
        view.fitted.view,
        (view.held.view.ttl, there.view.ttl),
        options.now,
        histories.newest_times(keys),
        {name: each.type for name, each in view.held.view.features.items()},
        view.whole_lists,
    )
    parity = compare_served(
        sides, keys, move.source.online(view.held.view, keys), move.target.online(there.view, keys)
    )
    named = [RowDifference(kind, name, fields) for kind, name, fields in parity.differences]
    found.differ(KEY, named, parity.wrong)
    found.online.append(
        FeatureOnlineProof(
            view=view.name,
            seed=options.seed,
            sampled=len(keys),
            **parity.counts,
            bound=parity.bound,
            passed=parity.passed,
        )
    )


def _joins(
    move: FeatureMove,
    view: PlannedView,
    there: HeldView,
    histories: Histories,
    found: Proofs,
    scratch: Path,
) -> None:
    options = move.request.options
    frame, answer = scratch / "frame.parquet", scratch / "joined.parquet"
    rows = histories.write_frame(frame, options.sample, options.seed)
    histories.join(SOURCE, view.held.view.ttl)
    histories.join(TARGET, there.view.ttl)
    joined, wrong, named = histories.unequal_joins(SOURCE, TARGET, MAX_NAMED)
    found.differ(JOIN, named, wrong)
    own_rows, own_wrong = _joined_there(move, view, there, histories, found, (frame, answer))
    found.joins.append(
        FeatureJoinProof(
            view=view.name,
            seed=options.seed,
            rows=rows,
            filled=histories.filled_rows(SOURCE),
            different=wrong,
            own_rows=own_rows,
            own_different=own_wrong,
            passed=joined == rows and not wrong and not own_wrong,
        )
    )


def _joined_there(
    move: FeatureMove,
    view: PlannedView,
    there: HeldView,
    histories: Histories,
    found: Proofs,
    files: tuple[Path, Path],
) -> tuple[int | None, int]:
    """Let the target itself join the frame; return how many rows it gave, and how many are wrong."""
    if set(view.fitted.view.features) - set(there.view.features):
        return None, 0  # told by the definitions
    try:
        if not move.target.joined(there.view, *files):
            return None, 0
    except IncompleteError as error:
        found.differ(OWN_JOIN, [RowDifference("missing", f"{view.name}: {error.got[:_TOLD]}")], 1)
        return 0, 1
    histories.read_join(_OWN, files[1])
    rows, wrong, named = histories.unequal_joins(TARGET, _OWN, MAX_NAMED)
    found.differ(OWN_JOIN, named, wrong)
    return rows, wrong


def _record(
    request: FeatureRequest, move: FeatureMove, found: Proofs, began: float
) -> FeatureVerificationRecord:
    return FeatureVerificationRecord(
        run=request.run,
        store=request.store,
        source=move.source.address,
        target=move.target.address,
        compared=found.judgement.compared(),
        histories=tuple(found.histories),
        online=tuple(found.online),
        joins=tuple(found.joins),
        differences=tuple(found.judgement.differences),
        difference_count=found.differences,
        statement=_statement(found),
        passed=found.passed,
        seconds=time.monotonic() - began,
    )


def _statement(found: Proofs) -> str:
    views = sum(each.source for each in found.judgement.compared())
    rows = sum(each.source.rows for each in found.histories)
    parts = [counted(views, VIEW), f"{counted(rows, 'row')} of history"]
    for each in found.online:
        bound = f", so at most {each.bound:.2%} of all keys differ at 95 %" if each.bound is not None else ""
        compared = each.sampled - each.expired - each.absent
        parts.append(f"{compared:,} of {each.sampled:,} sampled keys of {each.view} compared online{bound}")
    frames = sum(each.rows for each in found.joins)
    parts.append(f"{counted(frames, 'row')} joined by time on both sides")
    if own := sum(each.own_rows or 0 for each in found.joins):
        parts.append(f"{own:,} of them by the target itself, too")
    return "; ".join(parts) + f"; {counted(found.differences, 'difference')}"
