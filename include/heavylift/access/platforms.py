"""Which reader, writer and evaluator a platform has."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from heavylift.access.aws_bundle import aws_bundle
from heavylift.access.aws_evaluate import aws_allows, aws_may_assume, aws_permissions
from heavylift.access.aws_names import example_arn, secret_suffixes
from heavylift.access.aws_read import Reader as AwsReader
from heavylift.access.aws_write import AwsWriter
from heavylift.access.azure_evaluate import granted, role_id
from heavylift.access.azure_read import AzureReader, azure_bundle
from heavylift.access.azure_write import AzureWriter
from heavylift.access.gcp_read import GcpReader, gcp_bundle
from heavylift.access.gcp_write import GcpWriter
from heavylift.access.kubernetes_rbac import (
    KubernetesReader,
    KubernetesWriter,
    kubernetes_bundle,
    kubernetes_permissions,
)
from heavylift.access.model import Document, Names, Place, Read
from heavylift.access.table import Kind, Table
from heavylift.access.writing import Context, Mapped, Writer, make_mapped


class Reader(Protocol):
    """Reads one platform's bundles."""

    def read(self, bundle: Document) -> Read:
        """Return the identities of a bundle."""
        ...


_READERS: dict[str, Callable[[Table, Place], Reader]] = {
    "aws": AwsReader,
    "gcp": GcpReader,
    "azure": AzureReader,
    "kubernetes": KubernetesReader,
}
_WRITERS: dict[str, Callable[[Names, Mapped], Writer]] = {
    "aws": AwsWriter,
    "gcp": GcpWriter,
    "azure": AzureWriter,
    "kubernetes": KubernetesWriter,
}


def bundle_of(place: Place, found: Iterable[tuple[str, Any]]) -> Document:
    """Return a platform's documents in the form that its reader and evaluator take.

    :raises SpecError: a document cannot be used.
    """
    if place.platform == "gcp":
        return gcp_bundle(found, place)
    makers = {"aws": aws_bundle, "azure": azure_bundle, "kubernetes": kubernetes_bundle}
    return makers[place.platform](found)


def read_bundle(bundle: Document, table: Table, place: Place) -> Read:
    """Return the identities of a bundle."""
    return _READERS[place.platform](table, place).read(bundle)


def writer_for(names: Names, table: Table) -> Writer:
    """Return the writer for the target."""
    return _WRITERS[names.target.platform](names, make_mapped(names, table))


class SourceJudge:
    """The source's evaluator, which answers for neutral names."""

    def __init__(self, bundle: Document, place: Place) -> None:
        self.bundle, self.place = bundle, place
        self.suffixes = secret_suffixes(json.dumps(bundle, ensure_ascii=False))
        self.identities = {each["id"]: each for each in bundle.get("identities", ())}
        # A writer for the source itself knows how its resources are called.
        same = Names(place, place)
        self.naming = None if place.platform == "aws" else _WRITERS[place.platform](same, Mapped())

    def allows(self, who: str, permission: str, kind: Kind, name: str, context: Context) -> bool:
        """Tell whether an identity of the source may do it."""
        if self.naming is None:
            arn = example_arn(kind, name, self.place, self.suffixes)
            if permission == "sts:AssumeRole":
                return aws_may_assume(self.identities, who, arn, context)
            return aws_allows(self.identities[who], permission, arn, context)
        if kind.name == "role" and self.place.platform == "gcp":
            native: str | None = _account(name)
        else:
            native = self.naming.native(kind, name)
        return native is not None and self.naming.allows(self.bundle, who, permission, native, context)


def _account(email: str) -> str:
    project = email.partition("@")[2].partition(".")[0]
    return f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}"


def permissions_of(platform: str, bundle: Document, who: str, known: Collection[str]) -> frozenset[str]:
    """Return those of ``known`` that an identity is allowed somewhere."""
    if platform == "aws":
        identity = next(each for each in bundle["identities"] if each["id"] == who)
        return aws_permissions(identity, known)
    if platform == "kubernetes":
        return kubernetes_permissions(bundle, who, known)
    if platform == "gcp":
        roles = {each["name"]: frozenset(each["includedPermissions"]) for each in bundle["roles"]}
        bindings = [one for each in bundle["policies"] for one in each["policy"].get("bindings", ())]
        held = [roles.get(each["role"], frozenset()) for each in bindings if who in each.get("members", ())]
        return frozenset(known) & frozenset().union(*held)
    definitions = {role_id(each): each for each in bundle["roleDefinitions"]}
    mine = [each for each in bundle["roleAssignments"] if each["principalId"] == who]
    held = [granted(definitions.get(str(each["roleDefinitionId"]).lower(), {}), known) for each in mine]
    return frozenset().union(*held)
