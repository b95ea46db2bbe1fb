"""Reads one type of component in one place, as a row of a table says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from heavylift.errors import CredentialError, NotFoundError, ServerUnavailableError, UnsupportedError
from heavylift.evidence.canonical import sha256_hex
from heavylift.evidence.inventory_records import Component, InventoryFinding, Reference
from heavylift.evidence.records import Severity
from heavylift.inventory.references import MAX_REFERENCES, Holder, references_of
from heavylift.inventory.rows import KNOWN_AS, Extra, Row
from heavylift.inventory.scrub import scrubbed
from heavylift.inventory.values import (
    aliases_at,
    at,
    compact,
    filled,
    number_at,
    plain,
    tags_at,
    text_at,
    time_at,
)
from heavylift.inventory.words import words_of
from heavylift.platforms.control import (
    DENIED,
    SERVER_FAULTS,
    UNKNOWN_OPERATIONS,
    Account,
    ControlPlane,
)

CHUNK = 100
"""Components that are described side by side, and kept together."""

GLOBAL = "global"
_NOTHING_LISTED = "no component of this type could be listed"
_LISTED_WITHOUT = "components are listed without what it tells"
T = TypeVar("T")
Spread = Callable[[Callable[[dict[str, Any]], Any], list[dict[str, Any]]], Iterable[Any]]
"""Applies a function to many items, side by side."""


@dataclass(frozen=True)
class Unit:
    """One type in one region: what is read, kept and resumed as a whole.

    :param region: where to ask; of a global type the connection's own.
    """

    row: Row
    region: str

    @property
    def place(self) -> str:
        """The region that its components lie in, unless they tell another one."""
        return GLOBAL if self.row.is_global else self.region

    @property
    def name(self) -> str:
        """What names it among all units."""
        return f"{self.row.native_type}|{self.place}"


@dataclass(frozen=True)
class Read:
    """A component and what it names; None where it was gone before it could be described.

    :param key: of its item in the listing.
    """

    key: str
    component: Component | None
    references: tuple[Reference, ...] = ()


@dataclass
class Troubles:
    """The findings of a unit: one for each permission and cause, with the number of components concerned."""

    unit: Unit
    found: dict[tuple[str, str], InventoryFinding] = field(default_factory=dict)

    def add(
        self,
        rule: Any,
        subject: str,
        detail: str,
        remedy: str,
        *,
        severity: Severity = Severity.WARNING,
        permission: str = "",
    ) -> None:
        """Note one trouble."""
        key = (rule, permission or subject)
        before = self.found.get(key)
        self.found[key] = InventoryFinding(
            rule=rule,
            severity=severity,
            subject=subject,
            detail=detail,
            remedy=remedy,
            permission=permission,
            region=self.unit.place,
            native_type=self.unit.row.native_type,
            components=(before.components if before else 0) + 1,
        )


class UnitReader:
    """Reads the components of one unit; a permission that is missing becomes a finding that names it."""

    def __init__(self, plane: ControlPlane, account: Account, unit: Unit, platform: str) -> None:
        self._plane, self._account, self._unit, self._platform = plane, account, unit, platform
        self._row = unit.row
        self._words = words_of(platform)
        self.troubles = Troubles(unit)

    def chunks(self, spread: Spread, known: Callable[[str], bool]) -> Iterator[list[Read]]:
        """Yield what is read, in chunks.

        :param known: tells of an item's listed name whether it was read before.
        """
        items = (item for item in self._listed() if not known(item_key(item)))
        while chunk := list(islice(items, CHUNK)):
            yield list(spread(self._read, chunk))

    def _listed(self) -> Iterator[dict[str, Any]]:
        row = self._row
        if row.parent is None:
            yield from self._list({}, None)
            return
        parents = self._pages(row.parent.operation, row.parent.permission, {}, row.parent.items)
        for parent in parents or ():
            arguments = {name: at(path, parent) for name, path in row.parent.arguments.items()}
            yield from self._list(arguments, parent)
        if row.parent.and_without:
            yield from self._list({}, None)

    def _list(self, arguments: Mapping[str, Any], parent: Any) -> Iterator[dict[str, Any]]:
        row = self._row
        asked = {**row.arguments, **arguments}
        for item in self._pages(row.listing, row.listing_permission, asked, row.items):
            yield item if parent is None else {**item, "_parent": parent}

    def _pages(
        self, operation: str, permission: str, arguments: Mapping[str, Any], items: str
    ) -> Iterator[dict[str, Any]]:
        try:
            for page in self._plane.pages(
                self._row.service, operation, self._unit.region, arguments, self._row.last_token
            ):
                for item in at(items, page) or ():
                    yield plain(item) if isinstance(item, Mapping) else {"_": item}
        except NotFoundError:
            return  # the parent went meanwhile, and all that belonged to it
        except CredentialError as error:
            if error.code == DENIED:
                self._denied(operation, permission, _NOTHING_LISTED, Severity.BLOCKER)
                return
            self._closed(error)
        except UnsupportedError as error:
            if error.code not in UNKNOWN_OPERATIONS:
                raise
            self.troubles.add(
                "not_supported",
                f"{self._row.service}:{operation}",
                f"the server does not know {operation}: {error.got}",
                error.remedy,
            )
        except ServerUnavailableError as error:
            self._faulty(operation, error, Severity.BLOCKER)

    def _faulty(self, operation: str, error: ServerUnavailableError, severity: Severity) -> None:
        """Note that the server answers with a fault each time: waiting longer would not mend it.

        :raises ServerUnavailableError: it gave no answer at all, which a later run may get.
        """
        if error.code not in SERVER_FAULTS:
            raise error
        self.troubles.add(
            "no_answer",
            f"{self._row.service}:{operation}",
            f"{operation} fails in {self._unit.place} each time: {error.got}",
            "run the inventory again later; if it stays so, look up by hand what this type has there",
            severity=severity,
        )

    def _closed(self, error: CredentialError) -> None:
        self.troubles.add(
            "region_not_readable",
            self._unit.place,
            f"{self._unit.place} refuses the credentials that others accept: {error.got}",
            "enable the region for the account, or leave it out (--region)",
            severity=Severity.BLOCKER,
        )

    def _denied(self, operation: str, permission: str, detail: str, severity: Severity) -> None:
        needed = permission or self._plane.permission(self._row.service, operation)
        self.troubles.add(
            "permission_missing",
            self._row.native_type,
            f"{needed} is missing in {self._unit.place}: {detail}",
            f"grant {needed} (`heavylift inventory --permissions` prints the whole policy) and run again",
            severity=severity,
            permission=needed,
        )

    def _read(self, item: dict[str, Any]) -> Read:
        row, key = self._row, item_key(item)
        known: dict[str, Any] = dict(item)
        if row.detail:
            arguments = {name: at(path, item) for name, path in row.detail_arguments.items()}
            answer, gone = self._asked(row.detail, "", {**row.detail_fixed, **arguments}, row.detail_at)
            if gone:
                return Read(key, None)
            known = {**item, **(answer or {})}
        known["_id"] = self._id(known)
        for extra in row.extras:
            if extra.only and not at(extra.only, known):
                continue
            known[extra.into] = self._extra(extra, known)
        return self._component(key, known)

    def _extra(self, extra: Extra, known: Mapping[str, Any]) -> Any:
        arguments = {name: at(path, known) for name, path in extra.arguments.items()}
        asked = {**extra.fixed, **{name: value for name, value in arguments.items() if value is not None}}
        if not extra.paged:
            return self._asked(extra.operation, extra.permission, asked, extra.items)[0]

        def every(answers: Iterable[Mapping[str, Any]]) -> list[Any]:
            return [each for answer in answers for each in at(extra.items, plain(answer)) or ()]

        pages = self._plane.pages(self._row.service, extra.operation, self._unit.region, asked)
        return self._tried(extra.operation, extra.permission, lambda: every(pages))[0]

    def _asked(
        self, operation: str, permission: str, arguments: Mapping[str, Any], path: str
    ) -> tuple[Any, bool]:
        def ask() -> Any:
            answer = self._plane.call(self._row.service, operation, self._unit.region, arguments)
            return at(path, plain(answer))

        return self._tried(operation, permission, ask)

    def _tried(self, operation: str, permission: str, ask: Callable[[], T]) -> tuple[T | None, bool]:
        """Return what ``ask`` returns, and whether there is nothing of the kind."""
        try:
            return ask(), False
        except NotFoundError:
            return None, True
        except CredentialError as error:
            if error.code != DENIED:
                raise
            self._denied(operation, permission, _LISTED_WITHOUT, Severity.WARNING)
        except UnsupportedError as error:
            if error.code not in UNKNOWN_OPERATIONS:
                raise
            self.troubles.add(
                "not_supported",
                f"{self._row.service}:{operation}",
                f"the server does not know {operation}: components are listed without what it tells",
                error.remedy,
                severity=Severity.NOTE,
            )
        except ServerUnavailableError as error:
            self._faulty(operation, error, Severity.WARNING)
        return None, False

    @property
    def _fixed(self) -> dict[str, str]:
        unit = self._unit
        return {"partition": self._account.partition, "account": self._account.id, "region": unit.region}

    def _id(self, known: Mapping[str, Any]) -> str:
        found = filled(self._row.id, known, self._fixed).removesuffix(":*")
        if self._row.fold_id:
            found = found.lower()
        if found:
            return found
        # Only a listing's item is known, for lack of a permission: its name is all that tells it from others.
        name = text_at(self._row.name, known) or text_at("_", known)
        return f"{self._row.native_type}|{self._unit.place}|{name}"

    def _component(self, key: str, known: dict[str, Any]) -> Read:
        row, unit = self._row, self._unit
        document = {key: value for key, value in known.items() if key not in ("_id", "_parent", "_")}
        if row.aliases:
            document[KNOWN_AS] = aliases_at(row.aliases, known, self._fixed)
        id = known["_id"]
        region = text_at(row.region, known) or unit.place
        size = number_at(row.size_bytes, known)
        holder = Holder(id, row.native_type, row.service, region, self._words)
        references = references_of(holder, document)
        if len(references) == MAX_REFERENCES:
            self.troubles.add(
                "truncated",
                id,
                f"it names at least {MAX_REFERENCES} other things; the rest is not looked at",
                "look at it by hand",
            )
        component = Component(
            id=id,
            platform=self._platform,
            service=row.service,
            kind=row.kind,
            native_type=row.native_type,
            name=_name(row, known, id),
            region=region,
            account=self._account.id,
            owner=text_at(row.owner, known),
            created_at=time_at(row.created, known),
            last_used_at=time_at(row.last_used, known),
            size_bytes=None if size is None else size * row.size_unit,
            objects=number_at(row.objects, known),
            framework=text_at(row.framework, known).strip(),
            status=text_at(row.status, known),
            tags_json=compact(scrubbed(tags_at(row.keep_tags, known))),
            attributes_json=compact(scrubbed(_kept(document))),
        )
        return Read(key, component, tuple(references))


def _kept(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what was only there to be walked."""
    return {key: value for key, value in document.items() if not key.startswith("_")}


def item_key(item: Mapping[str, Any]) -> str:
    """Return what tells a listed item from all others; another one where its listing has changed."""
    return sha256_hex(compact(item).encode())[:24]


def _name(row: Row, known: Mapping[str, Any], id: str) -> str:
    found = text_at(row.name, known) or text_at("_", known) if row.name else ""
    return found or id.replace("/", ":").rpartition(":")[2]
