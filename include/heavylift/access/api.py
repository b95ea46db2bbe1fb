"""What operators and commands call: translate permissions from documents to documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heavylift.access.escalation import escalations, known_permissions
from heavylift.access.matrix import Row, rows
from heavylift.access.model import Document, Identity, Names, Read
from heavylift.access.platforms import SourceJudge, bundle_of, permissions_of, read_bundle, writer_for
from heavylift.access.predefined import Predefined
from heavylift.access.regions import Atom
from heavylift.access.table import Kind, Table, load_table
from heavylift.access.translate import Options, Translated, translate
from heavylift.access.writing import Grant, Writer
from heavylift.errors import SpecError
from heavylift.evidence.access_records import (
    AccessBinding,
    AccessEscalation,
    AccessGap,
    AccessIdentity,
    AccessMatrix,
    AccessRecord,
    AccessRole,
)
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.records import RunKey
from heavylift.facts.tables import check_folder

MAX_ROLES = {"gcp": 300, "azure": 2_048}
"""Custom roles of a project, and of a directory."""
MAX_POLICIES = 10
"""Managed policies of one role of AWS's, where no other quota was asked for."""
ANY_REGION = "any-region-1"
"""Stands for the source's regions where they are not one."""
_REGION = re.compile(r"arn:aws[\w-]*:[a-z0-9-]+:([a-z]{2}(?:-[a-z]+)+-\d+):")


@dataclass(frozen=True)
class AccessRequest:
    """One translation.

    :param found: (file, document) for each of the source's documents.
    :param facts: folder with tables in the place of the built-in ones.
    :param chosen: tells which identities move; None: all.
    """

    run: RunKey
    names: Names
    found: Sequence[tuple[str, Any]]
    max_excess: int = 0
    predefined: tuple[Predefined, ...] = ()
    used: Mapping[str, Collection[str]] | None = None
    facts: Path | None = None
    chosen: Callable[[str], bool] | None = None


@dataclass(frozen=True)
class Outcome:
    """A translation's record, and the rows of its matrix."""

    record: AccessRecord
    rows: list[Row] = field(repr=False)


def translate_access(request: AccessRequest) -> Outcome:
    """Translate the permissions of all identities; nothing is applied, nothing is written.

    Idempotency: the same request gives the same record but for its time.

    :raises SpecError: a document cannot be used; the message names file, statement and remedy.
    """
    return making_of(request).outcome()


def making_of(request: AccessRequest) -> Making:
    """Return the translation before it is made a record.

    :raises SpecError: as :func:`translate_access`.
    """
    check_folder(request.facts)
    table = load_table(request.facts)
    bundle = bundle_of(request.names.source, request.found)
    names = with_region(request.names, bundle)
    read = only_chosen(read_bundle(bundle, table, names.source), request.chosen)
    if request.used is not None and not any(each.id in request.used for each in read.identities):
        raise SpecError(
            "dropping what no access log shows",
            got=f"logs of {', '.join(sorted(request.used)[:3]) or 'nobody'}",
            expected=f"at least one of: {', '.join(each.id for each in read.identities[:3])}",
            state="nothing was translated",
            remedy="give the logs of these identities; a policy by itself has no ARN: give identities",
            code="8111",
        )
    writer = writer_for(names, table)
    options = Options(request.max_excess, request.predefined, request.used)
    made = translate(read, table, names.source.platform, writer, options)
    return Making(replace(request, names=names), table, read, writer, made)


def only_chosen(read: Read, chosen: Callable[[str], bool] | None) -> Read:
    """Return what was read with only the identities that move; what they may not do stays known.

    :raises SpecError: none of them does.
    """
    if chosen is None:
        return read
    kept = tuple(each for each in read.identities if chosen(each.id))
    if not kept:
        raise SpecError(
            "choosing the identities that move",
            got="patterns that none fits",
            expected=f"at least one of: {', '.join(each.id for each in read.identities[:3]) or 'nobody'}",
            state="nothing was translated",
            remedy="correct access.identities and access.exclude",
            code="9116",
        )
    gone = {each.id for each in read.identities} - {each.id for each in kept}
    told = tuple(each for each in read.untranslated if each.identity not in gone)
    return replace(read, identities=kept, untranslated=told)


def with_region(names: Names, bundle: Document) -> Names:
    """Return the names with the source's region, where nobody said: the only one that its documents name.

    Where they name none, or several, nothing regional has a counterpart but all of it together.
    """
    if names.source.region or names.source.platform != "aws":
        return names
    found = set(_REGION.findall(json.dumps(bundle, ensure_ascii=False)))
    region = found.pop() if len(found) == 1 else ANY_REGION
    return replace(names, source=replace(names.source, region=region))


class Making:
    """Makes the record of a translation.

    ``documents`` are the target's, of which the matrix is asked: the translation's own unless replaced.
    """

    def __init__(
        self, request: AccessRequest, table: Table, read: Read, writer: Writer, made: Translated
    ) -> None:
        self.request, self.table, self.read, self.writer, self.made = request, table, read, writer, made
        self.names = request.names
        self.documents = writer.documents(made.grants)
        self.judge = SourceJudge(read.bundle, self.names.source)
        self.platforms = (self.names.source.platform, self.names.target.platform)

    def outcome(self) -> Outcome:
        """Return the record and the matrix."""
        answers = self.answers()
        beyond = {(each.identity, name) for each in self.made.grants for name in each.excess}
        wrong = [row for row in answers if row.excess]
        accepted = [row for row in wrong if (self.writer.identity(row.identity), row.operation) in beyond]
        ways = self._escalations()
        failures = [*self._merged(), *self._too_many()]
        failures += [
            f"{each.identity}: {each.title}: the source has no such way" for each in ways if each.grew
        ]
        failures += [
            f"{row.identity}: {row.operation} on {row.resource} is allowed on the target alone"
            for row in wrong
            if row not in accepted
        ][:20]
        bindings = [self._binding(each) for each in self.made.grants]
        content: Document = {
            "identities": self._identities(),
            "roles": self._roles(),
            "bindings": bindings,
            "trusts": (),
            "untranslated": tuple(
                AccessGap(**{name: getattr(each, name) for name in AccessGap.model_fields})
                for each in sorted(
                    self.made.untranslated,
                    key=lambda each: (each.identity, each.permission, each.where, each.detail),
                )
            ),
        }
        record = AccessRecord(
            run=self.request.run,
            source=self.platforms[0],
            target=self.platforms[1],
            source_account=self.names.source.account,
            target_account=self.names.target.account,
            max_excess=self.request.max_excess,
            logs=self.request.used is not None,
            **content,
            nothing_needed=tuple(sorted(self.made.free)),
            unused=tuple(sorted(self.made.unused)),
            escalations=tuple(ways),
            matrix=AccessMatrix(
                questions=len(answers),
                kept=sum(row.before and row.after for row in answers),
                lost=sum(row.before and not row.after for row in answers),
                excess=len(wrong) - len(accepted),
                accepted_excess=len(accepted),
            ),
            documents=self.documents,
            digest=sha256_hex(canonical_json(content)),
            passed=not failures,
            failures=tuple(failures),
        )
        return Outcome(record, answers)

    def answers(self) -> list[Row]:
        """Return the matrix: the same questions to the source and to ``documents``."""
        return [row for identity in self.read.identities for row in self._rows(identity)]

    def _identities(self) -> tuple[AccessIdentity, ...]:
        mapped = self.names.identities
        return tuple(
            AccessIdentity(source=each.id, target=self.writer.identity(each.id), mapped=each.id in mapped)
            for each in sorted(self.read.identities, key=lambda each: each.id)
        )

    def _roles(self) -> tuple[AccessRole, ...]:
        own = [each for each in self.made.grants if not each.role]
        made = {self.writer.role_name(each): self.writer.permissions(each) for each in own}
        return tuple(AccessRole(id=name, permissions=made[name]) for name in sorted(made))

    def _binding(self, grant: Grant) -> AccessBinding:
        return AccessBinding(
            identity=grant.identity,
            role=grant.role or self.writer.role_name(grant),
            predefined=bool(grant.role),
            scope=grant.spot.scope,
            condition=self.writer.condition(grant),
            permissions=self.writer.permissions(grant),
            operations=tuple(sorted(grant.operations)),
            excess=tuple(sorted(grant.excess)),
            origin=grant.where,
        )

    def _rows(self, identity: Identity) -> Iterable[Row]:
        atoms: dict[str, set[Atom]] = {}
        for statement in (
            *identity.allows,
            *identity.denies,
            *(s for level in identity.boundaries for s in level),
        ):
            for kind, region in statement.regions.items():
                atoms.setdefault(kind, set()).update(
                    each.atom for clause in region.clauses for each in clause
                )
        target = self.writer.identity(identity.id)
        granted = frozenset(
            n for each in self.made.grants if each.identity == target for n in each.permissions
        )
        needed = {each.operation.name for each in self.made.needs.get(identity.id, ())}
        asked = [
            each
            for each in self.table.operations
            if each.name in needed or each.allowed_by(self.platforms[1], granted)
        ]

        judge = self.judge

        def before(permission: str, kind: Kind, name: str, context: dict[str, list[str]]) -> bool:
            return judge.allows(identity.id, permission, kind, name, context)

        def after(permission: str, kind: Kind, name: str, context: dict[str, list[str]]) -> bool:
            native = self.writer.native(kind, name)
            return native is not None and self.writer.allows(
                self.documents, target, permission, native, context
            )

        home = self.names.source.region if self.platforms[0] == "aws" else ""
        return rows(identity.id, self.table, asked, atoms, (before, after), self.platforms, home)

    def _escalations(self) -> list[AccessEscalation]:
        platform, facts = self.platforms[0], self.request.facts
        known = known_permissions(platform, facts)
        before, after = {}, {}
        for each in self.read.identities:
            # What a role's trust policy gives is in no policy of the identity's own.
            trusted = {name for one in each.allows for name in one.permissions & known}
            before[each.id] = permissions_of(platform, self.read.bundle, each.id, known) | trusted
            target = self.writer.identity(each.id)
            mine = [grant.permissions for grant in self.made.grants if grant.identity == target]
            after[each.id] = frozenset().union(*mine)
        return escalations(before, after, self.platforms, facts)

    def _too_many(self) -> list[str]:
        most = MAX_ROLES.get(self.platforms[1])
        for each in self.documents["identities"] if self.platforms[1] == "aws" else ():
            if len(each["policies"]) > MAX_POLICIES:
                return [f"{each['id']} needs {len(each['policies'])} policies, and AWS takes {MAX_POLICIES}"]
        count = len(self._roles())
        if most is None or count <= most:
            return []
        return [
            f"{count} custom roles, and {self.platforms[1]} takes {most}: translate fewer identities at once"
        ]

    def _merged(self) -> list[str]:
        """Two identities that become one would each get what the other has."""
        targets: dict[str, list[str]] = {}
        for each in self._identities():
            targets.setdefault(each.target, []).append(each.source)
        return [
            f"{' and '.join(sources)} would both become {target}: name a counterpart of its own for each"
            for target, sources in sorted(targets.items())
            if len(sources) > 1
        ]
