"""What of the objects' attributes the target cannot keep, looked at before anything moves.

Attributes stand in no listing: they cost a request an object, and one more where the object has tags. So the
plan looks at those of some of what is to be copied, drawn at random, and says of how many; or of all, where
the spec asks for it (``metadata.look_at_all``). Nothing is written anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import HeavyliftError, NotFoundError, PreconditionError, TransientError
from heavylift.evidence.records import MAX_LISTED, Finding, Severity
from heavylift.evidence.wording import counted, shortened
from heavylift.objects.classes import class_on_target
from heavylift.objects.copier import attributes_to_write
from heavylift.objects.diff import LIKELY, Difference
from heavylift.objects.pool import for_each
from heavylift.objects.requests import TransferRequest
from heavylift.objects.row_files import insert_rows
from heavylift.objects.shares import Shares, shared_findings
from heavylift.platforms.containers import RETENTION, RETENTION_REMEDY
from heavylift.platforms.ports import ObjectHead, ObjectStore
from heavylift.platforms.tags import KEPT_OTHERWISE
from heavylift.spec.vocabulary import Phase, Via

MOST_LOOKED_AT = 300
"""So many objects are looked at where the spec does not ask for all."""
CONFIDENCE = 0.99
"""Of the bound that is stated on those that were not looked at."""
LOST = "attribute-not-holdable"
UNSEEN = "attributes-not-told"
LOOKED_AT = "attributes-looked-at"
_MOST_FORMS, _FORMS_TOLD = 1000, 5
"""So many ways of keeping something in another form are counted, and the most frequent of them told."""
_REMEDY = (
    "correct it on the source, or leave it behind on purpose: metadata.content_headers, .user_metadata"
    " or .tags of the dataset (--no-content-headers, --no-user-metadata, --no-tags)"
)


@dataclass(frozen=True)
class Looked:
    """What a look at attributes has found.

    :param in_short: about the dataset as a whole; ``named`` about single objects.
    :param rows: whether there are objects for ``write_rows`` to name.
    """

    in_short: tuple[Finding, ...] = ()
    named: tuple[Finding, ...] = ()
    rows: bool = False


class _Look:
    """A look at objects of one dataset."""

    def __init__(self, request: TransferRequest, source: ObjectStore, target: ObjectStore) -> None:
        self._request, self._source, self._target = request, source, target
        self._asked_for_tags = False
        self.looked_at = 0
        self.found: list[tuple[str, str, str]] = []
        self.otherwise: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.shares = Shares(source)

    async def at(self, rel: str) -> None:
        """Note what the target cannot keep of one object."""
        key = self._request.source.location.prefix + rel
        try:
            head = await self._source.head(key)
            tags = head.attributes.tags or await self._tags(key, head)
        except TransientError:
            raise
        except (NotFoundError, PreconditionError):
            return  # It has gone or changed since it was listed: the copy deals with that.
        except HeavyliftError as error:
            self.found.append((rel, UNSEEN, f"{error.got}; {error.remedy}"))
            return
        self.looked_at += 1
        self.held.update(head.held_by)
        await self.shares.at(key)
        options = self._request.options
        goal = class_on_target(
            self._request.source.location.scheme,
            self._request.target.location.scheme,
            head.object.storage_class,
            options.storage_class,
        )
        attributes = attributes_to_write(options.metadata, head.attributes, tags, goal)
        problems = self._target.attribute_problems(attributes)
        lost = [each for each in problems if KEPT_OTHERWISE not in each]
        if lost:
            self.found.append((rel, LOST, "; ".join(lost)))
        self.otherwise.update(
            text
            for text in set(problems) - set(lost)
            if text in self.otherwise or len(self.otherwise) < _MOST_FORMS
        )

    async def _tags(self, key: str, head: ObjectHead) -> dict[str, str]:
        if not self._request.options.metadata.tags or not self._source.traits.keeps_tags:
            return {}
        # Stores leave the count out for readers who may not see tags, so one object asks in any case.
        if head.tag_count == 0 and self._asked_for_tags:
            return {}
        self._asked_for_tags = True
        return await self._source.tags(key)


async def look_at_attributes(
    request: TransferRequest, difference: Difference, source: ObjectStore, target: ObjectStore
) -> Looked:
    """Find what the target cannot keep of the attributes of objects that are to be copied.

    Asks the source for 300 of them at most, or for all; a transfer service has rules of its own, and is
    not looked into.

    :raises TransientError: the source does not answer.
    """
    going = difference.tally(*LIKELY).objects
    if not number_looked_at(request, going):
        return Looked()
    look = _Look(request, source, target)
    if request.run.phase != Phase.SYNC:
        await look.shares.begin()
    difference.database.execute("CREATE TABLE attributes_lost (rel VARCHAR, rule VARCHAR, reason VARCHAR)")
    for keys in _to_look_at(request, difference):
        await for_each(keys, look.at, min(request.options.limits.max_concurrency, len(keys)))
        insert_rows(difference.database, "attributes_lost", look.found)
        look.found.clear()
    return _told(request, difference, look, going)


def number_looked_at(request: TransferRequest, going: int) -> int:
    """Return at how many objects the plan looks, where so many are to be copied."""
    if request.options.via is not Via.HEAVYLIFT:
        return 0
    return going if request.options.metadata.look_at_all else min(going, MOST_LOOKED_AT)


def write_rows(difference: Difference, path: Path) -> None:
    """Write which objects lose what as Parquet."""
    difference.database.execute(
        "COPY (FROM attributes_lost ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)]
    )


def _to_look_at(request: TransferRequest, difference: Difference) -> Iterator[list[str]]:
    if request.options.metadata.look_at_all:
        yield from difference.keys(*LIKELY, refused=False)
    else:
        yield difference.drawn(MOST_LOOKED_AT, *LIKELY)


def _told(request: TransferRequest, difference: Difference, look: _Look, going: int) -> Looked:
    location, dataset, db = request.source.location, request.dataset, difference.database
    counts = dict(db.execute("SELECT rule, count(*) FROM attributes_lost GROUP BY rule").fetchall())
    first = db.execute("FROM attributes_lost ORDER BY rule, rel LIMIT ?", [MAX_LISTED]).fetchall()
    named = [
        Finding(
            rule=rule,
            severity=Severity.WARNING,
            subject=location.url_of(location.prefix + rel),
            detail=shortened(reason),
            remedy=_REMEDY if rule == LOST else "",
        )
        for rel, rule, reason in first
    ]
    in_short = [
        f"{counted(number, 'object')} of {look.looked_at:,} looked at: {text}"
        for text, number in look.otherwise.most_common(_FORMS_TOLD)
    ]
    if counts or look.looked_at < going:
        in_short.insert(0, _statement(look.looked_at, going, counts))
    notes = [
        Finding(rule=LOOKED_AT, severity=Severity.NOTE, subject=dataset, detail=detail) for detail in in_short
    ]
    held = [
        Finding(
            rule=RETENTION,
            severity=Severity.NOTE,
            subject=dataset,
            detail=f"{counted(number, 'object')} of {look.looked_at:,} looked at: {what}; it does not move",
            remedy=RETENTION_REMEDY,
        )
        for what, number in sorted(look.held.items())
    ]
    shared = shared_findings(dataset, look.shares, look.looked_at, request.target.location.scheme)
    return Looked((*notes, *held, *shared), tuple(named), bool(counts))


def _statement(looked_at: int, going: int, counts: Mapping[str, int]) -> str:
    lost, unseen = counts.get(LOST, 0), counts.get(UNSEEN, 0)
    told = f"attributes of {looked_at:,} of {counted(going, 'object')} to copy were looked at: "
    told += f"{lost:,} {'has' if lost == 1 else 'have'} some that the target cannot keep"
    if looked_at < going and not lost and looked_at:
        share = 1 - (1 - CONFIDENCE) ** (1 / looked_at)
        told += f", so fewer than {share:.2%} have, with {CONFIDENCE:.0%} confidence"
    return told + (f"; of {unseen:,} the source does not tell them" if unseen else "")
