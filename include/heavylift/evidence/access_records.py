"""The records of permissions: what was translated, and whether the target has exactly that."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.records import RunKey, utc_now

ACCESS_FOLDER = "~access"
ACCESS_PHASE = "provision"


class AccessIdentity(Record):
    """An identity and its counterpart.

    :param mapped: somebody named the counterpart; otherwise its name was made from the source's.
    """

    source: str
    target: str
    mapped: bool


class AccessRole(Record):
    """A role to be made on the target."""

    id: str
    permissions: tuple[str, ...]


class AccessBinding(Record):
    """Permissions for one identity at one scope.

    :param condition: in the target's language, all parts joined; empty where there is none.
    :param operations: what the permissions are for, in the table's words.
    :param excess: operations beyond what the source allows; empty unless an excess was asked for.
    :param origin: the statements of the source that it comes from.
    """

    identity: str
    role: str
    predefined: bool
    scope: str
    condition: str
    permissions: tuple[str, ...]
    operations: tuple[str, ...]
    excess: tuple[str, ...]
    origin: tuple[str, ...]


class AccessGap(Record):
    """What did not come along, why, and what mends it."""

    identity: str
    permission: str
    reason: str
    detail: str
    remedy: str
    where: str


class AccessEscalation(Record):
    """A way for an identity to get more permissions than it has.

    :param grew: the target has it and the source has not.
    """

    identity: str
    path: str
    title: str
    before: bool
    after: bool

    @property
    def grew(self) -> bool:
        """Tell whether the target has it and the source has not."""
        return self.after and not self.before


class AccessMatrix(Record):
    """The figures of the matrix, whose rows lie beside the record.

    :param excess: answers that are yes on the target and no on the source, beyond what was asked for.
    :param lost: answers that are no on the target and yes on the source.
    """

    questions: int
    kept: int
    lost: int
    excess: int
    accepted_excess: int
    rows: EvidenceRef | None = None


class AccessRecord(Record):
    """One translation, as the document that is reviewed.

    :param documents: the target's own documents.
    :param digest: SHA-256 of identities, roles, bindings and what is untranslated.
    """

    schema_version: Literal[1] = 1
    run: RunKey
    created_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    source_account: str
    target_account: str
    max_excess: int
    logs: bool
    identities: tuple[AccessIdentity, ...]
    roles: tuple[AccessRole, ...]
    bindings: tuple[AccessBinding, ...]
    trusts: tuple[AccessBinding, ...]
    untranslated: tuple[AccessGap, ...]
    nothing_needed: tuple[tuple[str, str], ...]
    unused: tuple[tuple[str, str], ...]
    escalations: tuple[AccessEscalation, ...]
    matrix: AccessMatrix
    documents: dict[str, Any]
    digest: str
    passed: bool
    failures: tuple[str, ...]


class AccessDifference(Record):
    """One thing in which the target is not what was translated."""

    kind: Literal["missing", "extra", "matrix"]
    identity: str
    permission: str
    scope: str
    condition: str
    remedy: str


class AccessVerification(Record):
    """Whether the target's permissions are those that were translated.

    :param matrix: what the target's own documents answered, beside the source's answers; None where only
        permissions were compared.
    """

    schema_version: Literal[1] = 1
    run: RunKey
    created_at: datetime = Field(default_factory=utc_now)
    digest: str
    compared: int
    difference_count: int
    differences: tuple[AccessDifference, ...]
    passed: bool
    matrix: AccessMatrix | None = None


def access_folder(run: RunKey) -> str:
    """Return the folder of a run's permissions."""
    return f"{run.folder}/{ACCESS_FOLDER}"


def translation_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`AccessRecord`, from 1."""
    return f"{access_folder(run)}/translation-{number}.json"


def verification_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th :class:`AccessVerification`, from 1."""
    return f"{access_folder(run)}/verification-{number}.json"
