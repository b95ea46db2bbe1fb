"""What a move of a feature store would do, view by view, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryLoss
from heavylift.registry.catalogues.leaves import Leaves, digest_of, leaves_of
from heavylift.registry.catalogues.marks import Origin, fit_mark, marks_of
from heavylift.registry.catalogues.planning import UNFINISHED, State, state_of
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import History
from heavylift.registry.features.fitting import FittedView, fit_view
from heavylift.registry.features.ports import HeldView
from heavylift.registry.features.requests import FeatureRequest

_NAMED = 5


@dataclass(frozen=True)
class PlannedView:
    """What becomes of one view.

    :param held: as the source has it.
    :param there: as the target has it; None where it is missing.
    :param taken: the target has another thing of its name.
    :param manifest: of the source's history; empty until that is listed.
    :param form: how the target's history holds the rows.
    :param tables: the history of a side is a table, and not files.
    :param chosen: the target chooses itself where the history lies.
    :param whole_lists: lists that are null become empty on the target.
    """

    held: HeldView
    fitted: FittedView
    form: History = field(default_factory=History)
    there: HeldView | None = None
    state: State = State.MISSING
    taken: bool = False
    manifest: str = ""
    tables: bool = False
    chosen: bool = False
    whole_lists: bool = False

    @property
    def name(self) -> str:
        """The view's name, the same on both sides."""
        return self.held.view.name

    @property
    def leaves_there(self) -> Leaves:
        """What the target holds now."""
        return held_leaves(self.there) if self.there else {}

    @property
    def is_done(self) -> bool:
        """Tell whether definition, history and online store were brought up to this manifest before."""
        origin = self.there.origin if self.there else None
        return self.state is State.EQUAL and origin is not None and origin.version == self.manifest

    @property
    def rewrites(self) -> bool:
        """Tell whether the history's files are made anew, since others would not be read on the target."""
        return self.tables or self.held.history.shape != self.form.shape or self._casts

    @property
    def overlaps(self) -> bool:
        """Tell whether the target's files would lie among the source's, or around them."""
        one, other = self.held.view.offline, self.fitted.view.offline
        if one == other:
            return self.rewrites or self.chosen  # files that stay as they are may be read by both sides
        return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")

    @property
    def _casts(self) -> bool:
        return self.held.view.columns != self.fitted.view.columns


def held_leaves(held: HeldView) -> Leaves:
    """Return what a store holds of a view, its history where whoever made it asked for it."""
    return leaves_of(replace(held.view, offline=held.asked) if held.asked else held.view)


@dataclass(frozen=True)
class FeaturePlan:
    """What becomes of everything.

    :param gone: views of ours that the source no longer has; they stay.
    """

    views: tuple[PlannedView, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def copied(self) -> bool:
        """Tell whether something of ours is there."""
        return bool(self.gone) or any(each.there and not each.taken for each in self.views)


@dataclass(frozen=True)
class FeaturePlanner:
    """Compares two readings."""

    request: FeatureRequest
    source: FeatureCapabilities
    target: FeatureCapabilities

    def plan(self, ours: list[HeldView], theirs: list[HeldView]) -> FeaturePlan:
        """Return what would be done."""
        there = {each.view.name: each for each in theirs}
        views = tuple(self._view(each, there.get(each.view.name)) for each in ours)
        names = {each.view.name for each in ours}
        gone = tuple(name for name, each in there.items() if self._is_ours(each) and name not in names)
        return FeaturePlan(views, gone)

    def marks(self, view: PlannedView, *, finished: bool) -> dict[str, str]:
        """Return the marks of a view that is written."""
        written = digest_of(view.fitted.leaves)
        return marks_of(
            Origin(
                self.source.platform,
                self.request.id,
                view.name,
                view.manifest if finished else "",
                written if finished else f"{UNFINISHED}{written}",
            ),
            self.target.pairs,
        )

    @property
    def table_marks(self) -> dict[str, str]:
        """What tables that this migration made bear."""
        marks = marks_of(Origin(registry=self.request.id), self.target.pairs)
        return {key: value for key, value in marks.items() if value}

    def _is_ours(self, held: HeldView) -> bool:
        ours = fit_mark(self.request.id, self.target.pairs)
        return held.origin is not None and held.origin.registry == ours

    def _view(self, held: HeldView, there: HeldView | None) -> PlannedView:
        fitted = fit_view(held.view, self.source, self.target, self.request.options.uris)
        form = self.target.form_of(held.history, ttl=bool(held.view.ttl))
        planned = PlannedView(
            held,
            fitted,
            form,
            there,
            tables=self.source.tables or self.target.tables,
            chosen=self.target.own_places,
            whole_lists=self.target.whole_lists,
        )
        if there is None:
            return planned
        if not self._is_ours(there):
            return replace(planned, taken=True)
        return replace(planned, state=state_of(fitted.leaves, held_leaves(there), there.origin))


def with_manifest(view: PlannedView, manifest: str) -> PlannedView:
    """Return a view whose history was listed."""
    return replace(view, manifest=manifest)


def findings_of(
    request: FeatureRequest, plan: FeaturePlan, losses: tuple[RegistryLoss, ...], target: FeatureCapabilities
) -> tuple[Finding, ...]:
    """Return everything that stands in the way, or that is to be known."""
    return tuple(_findings(request, plan, losses, target))


def _findings(
    request: FeatureRequest, plan: FeaturePlan, losses: tuple[RegistryLoss, ...], target: FeatureCapabilities
) -> Iterator[Finding]:
    if target.unwritable:
        detail = f"nothing can be written to {target.platform}: {target.unwritable}"
        yield _blocker("read-only", "target", detail, "complete the target's connection, or name another")
    if losses and not request.options.accept_losses:
        count = sum(each.count for each in losses)
        listed = _listed([f"{each.item} ({each.count:,}): {each.reason}" for each in losses])
        yield _blocker(
            "losses-not-accepted",
            "target",
            f"{len(losses)} sorts of things are lost on the target, {count:,} in all, such as {listed}",
            "look at the list (--losses), and accept it with --accept-losses, or accept_losses in the spec",
        )
    for view in plan.views:
        if view.fitted.impossible:
            yield _blocker(
                "cannot-hold",
                view.name,
                f"feature view {view.name}: {view.fitted.impossible}",
                "change it on the source, or move it by hand",
            )
        if view.fitted.unmapped:
            yield _blocker(
                "history-unmapped",
                view.name,
                f"no prefix tells where the history at {view.held.view.offline} goes",
                "name it: --history OLD=NEW, if need be OLD=OLD",
            )
        if view.overlaps:
            yield _blocker(
                "history-overlaps",
                view.name,
                f"the history at {view.held.view.offline} would be made anew at {view.fitted.view.offline},"
                " within itself",
                "map the prefix to another place with --history",
            )
        if view.taken:
            yield _blocker(
                "name-taken",
                view.name,
                f"the target has a feature view {view.name!r} that this migration did not make",
                "free the name there",
            )
        if view.state is State.OTHERS:
            severity = Severity.WARNING if request.options.overwrite else Severity.BLOCKER
            yield Finding(
                rule="changed-by-others",
                severity=severity,
                subject=view.name,
                detail=f"on the target somebody changed {_listed(changed_fields(view))} of {view.name}",
                remedy="undo it there, or let the source win with --overwrite",
            )


def changed_fields(view: PlannedView) -> list[str]:
    """Return the paths that differ between what a view is to be and what the target holds."""
    wanted, there = view.fitted.leaves, view.leaves_there
    return [each for each in sorted({*wanted, *there}) if wanted.get(each) != there.get(each)]


def _blocker(rule: str, subject: str, detail: str, remedy: str) -> Finding:
    return Finding(rule=rule, severity=Severity.BLOCKER, subject=subject, detail=detail, remedy=remedy)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
