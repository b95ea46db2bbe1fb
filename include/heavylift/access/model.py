"""What is read from any platform: identities and the statements that hold for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from heavylift.access.regions import Region

Document = dict[str, Any]


@dataclass(frozen=True)
class Statement:
    """Permissions of one platform, and where they are allowed or denied.

    :param permissions: the platform's names, wildcards expanded to those that the table knows.
    :param region: for each kind of resource, in neutral names.
    :param where: file and statement, for people.
    """

    permissions: frozenset[str]
    regions: dict[str, Region] = field(hash=False)
    where: str


@dataclass(frozen=True)
class Identity:
    """Whom permissions are given to.

    :param id: the platform's own name.
    :param boundaries: each must allow it, too: permission boundaries, service control policies.
    :param trusts: who may act as it, in the platform's names, with the condition.
    """

    id: str
    allows: tuple[Statement, ...] = ()
    denies: tuple[Statement, ...] = ()
    boundaries: tuple[tuple[Statement, ...], ...] = ()
    trusts: tuple[tuple[str, Region], ...] = ()


BY_HAND = "grant by hand what is needed of it, or add rows to access_operations.csv (--facts)"
"""The remedy for what the table does not know."""


@dataclass(frozen=True)
class Untranslated:
    """What did not come along, why, and what mends it.

    :param permission: the source's name, or what else it is about.
    :param reason: one word of a fixed list, for programs.
    """

    identity: str
    permission: str
    reason: str
    detail: str
    remedy: str
    where: str = ""


@dataclass(frozen=True)
class Place:
    """An account, project, scope or cluster, and what names of resources in it need.

    :param account: AWS: the account; Google: the project; Azure: a scope; Kubernetes: a namespace.
    :param number: Google's project number, which conditions on secrets need.
    :param region: where regional resources lie; on AWS: the only region in use.
    :param storage: Azure: the scope of the storage account.
    :param vault: Azure: the scope of the key vault.
    """

    platform: str
    account: str
    number: str = ""
    region: str = ""
    storage: str = ""
    vault: str = ""


@dataclass(frozen=True)
class Names:
    """What the user says about what is whose counterpart.

    :param identities: source identity to target identity, in the platforms' names.
    :param resources: source resource to target resource, likewise.
    """

    source: Place
    target: Place
    identities: dict[str, str] = field(default_factory=dict, hash=False)
    resources: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Read:
    """All that a platform's documents say.

    :param bundle: the documents in the form that the platform's evaluator takes.
    """

    identities: tuple[Identity, ...]
    untranslated: tuple[Untranslated, ...]
    bundle: Document = field(hash=False)
