"""What the parts of one run share: both sides, marks, and what was found, done and lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heavylift.errors import NotFoundError, TransientError
from heavylift.evidence.wording import enumeration
from heavylift.registry.catalogues.experiments.reading import Held
from heavylift.registry.catalogues.marks import Origin, fit_mark, marks_of, origin_in
from heavylift.registry.catalogues.planning import UNFINISHED
from heavylift.registry.catalogues.trials.limits import trial_limits
from heavylift.registry.catalogues.trials.service import Changes, ChangingService, listed_tags
from heavylift.registry.catalogues.trials.shapes import Lose
from heavylift.registry.interface.context import Tally
from heavylift.registry.work import RegistryProgress, Work

if TYPE_CHECKING:
    from heavylift.registry.catalogues.trials.source import History
    from heavylift.registry.uris import UriMap

POINTS_MARK = "points"


@dataclass
class Run:
    """One run of a move, or a look ahead.

    :param address: the target, for people.
    :param no_points: why no points can be sent; empty where they can.
    :param full: look at every history again, also of runs that are settled.
    :param there: names of components of this move that the target has.
    :param met: names of components whose runs the source has.
    :param keeps_tags: for each sort of things, whether the service keeps tags that came with their making.
    """

    history: History
    service: ChangingService
    changes: Changes
    registry: str
    address: str
    uris: UriMap
    map_names: bool
    overwrite: bool
    parallel: int
    work: Work
    tally: Tally
    no_points: str = ""
    full: bool = False
    there: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    keeps_tags: dict[str, bool] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether something is written at all."""
        return self.changes.writes

    def uri(self, uri: str) -> str:
        """Return what becomes of a URI."""
        return self.uris.of(uri)

    def mark(self, value: str) -> str:
        """Return a value as a mark tells it."""
        return fit_mark(value, trial_limits().pairs)

    def marks(self, own: str, digest: str, *, unfinished: bool = False, points: str = "") -> dict[str, str]:
        """Return the marks of a thing.

        :param own: the source's id.
        :param unfinished: further requests must follow until it is whole.
        :param points: tells that all points are there.
        """
        pairs = trial_limits().pairs
        state = UNFINISHED if unfinished else ""
        found = marks_of(Origin("mlflow", self.registry, own, digest=state + digest), pairs)
        return found | ({pairs.mark + POINTS_MARK: self.mark(points)} if points else {})

    def origin_of(self, tags: Mapping[str, str]) -> Origin | None:
        """Return what a thing of this move is a copy of; None where it is none of this move's."""
        origin = origin_in(tags, trial_limits().pairs)
        ours = origin is not None and origin.registry == self.mark(self.registry)
        return origin if ours else None

    def points_mark(self, tags: Mapping[str, str]) -> str:
        """Return what a component's mark tells of its points."""
        return tags.get(trial_limits().pairs.mark + POINTS_MARK, "")

    def losing(self, thing: str) -> Lose:
        """Return what takes the losses of one thing."""

        def lose(what: str, item: str, reason: str) -> None:
            self.tally.lose(what, item, reason, thing)

        return lose

    def conflicts(self, sort: str, name: str, wanted: Mapping[str, str], there: Mapping[str, str]) -> bool:
        """Note what somebody else changed on the target; tell whether it stays."""
        if self.overwrite:
            return False
        changed = sorted(each for each in {*wanted, *there} if wanted.get(each) != there.get(each))
        self.tally.conflict(sort, name, f"changed on the target by somebody else: {enumeration(changed)}")
        return True

    async def held(self, sort: str, name: str) -> Held | None:
        """Return a thing of the target as it is now; None where there is none.

        :param sort: ``Experiment``, ``Trial`` or ``TrialComponent``.
        """
        try:
            told = await self.service.call(f"Describe{sort}", {f"{sort}Name": name})
            tags = await self.service.listed("ListTags", "Tags", ResourceArn=str(told[f"{sort}Arn"]))
        except NotFoundError:
            return None
        return Held(told, {str(each["Key"]): str(each["Value"]) for each in tags})

    async def tags_stay(self, sort: str, name: str, tags: Mapping[str, str]) -> None:
        """Put a new thing's tags where the service keeps none of its making; found out once for each sort."""
        if not self.writes or self.keeps_tags.get(sort):
            return
        held = await self.held(sort, name)
        if held is None:
            return
        self.keeps_tags[sort] = tags.items() <= held.tags.items()
        if not self.keeps_tags[sort]:
            await self.changes.tag(str(held.described[f"{sort}Arn"]), tags, [])

    @staticmethod
    def listed(tags: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return tags as SageMaker lists them."""
        return listed_tags(tags)

    def tell(self, doing: str, done: int = 0, total: int = 0) -> None:
        """Tell how far the run is, and stop it where that is asked for.

        :raises TransientError: it was asked to stop.
        """
        self.work.tell(RegistryProgress(doing=doing, tables_done=done, tables=total))
        if self.work.stop.is_set():
            raise TransientError(
                "moving experiments to SageMaker",
                got="a request to stop",
                state="what was written stays; another run goes on from there",
                remedy="run the same command again",
                code="9619",
            )
