"""The permissions that an inventory has kept, as documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError, NotFoundError
from heavylift.evidence.assess_evidence import latest_inventory
from heavylift.evidence.inventory_files import read_components

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.evidence.store import EvidenceStore

_EXPORT = {"Role": "RoleDetailList", "User": "UserDetailList", "ManagedPolicy": "Policies"}
_RBAC = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
_CUT = 200
"""Items of one list or map that an inventory keeps."""
_DOCUMENTS = ("PolicyDocument", "Document", "AssumeRolePolicyDocument", "bindings", "rules", "properties")


async def inventoried(store: EvidenceStore, migration: str, connection: str) -> list[tuple[str, Any]]:
    """Return (where, document) of what the newest inventory of a connection knows of permissions.

    :raises NotFoundError: there is no inventory.
    :raises IncompleteError: it has kept only part of a policy: values that look like secrets are hidden, long
        lists are cut.
    """
    found = await latest_inventory(store, migration, connection)
    if found is None:
        raise NotFoundError(
            f"reading the permissions of migration {migration!r}",
            got=f"no inventory of {connection!r} in the evidence store",
            expected="one",
            state="nothing was translated",
            remedy="run heavylift inventory first, or give files of policies with --source",
            code="8105",
        )
    path, record = found
    return documents_of(await read_components(store, record.components), path)


def documents_of(components: Iterable[Component], where: str) -> list[tuple[str, Any]]:
    """Return the documents that components stand for."""
    export: dict[str, list[Any]] = {}
    found: list[tuple[str, Any]] = []
    for each in components:
        sort = each.native_type.rpartition("::")[2]
        place = f"{where}, {each.id}"
        if each.native_type.startswith("AWS::IAM::") and sort in _EXPORT:
            export.setdefault(_EXPORT[sort], []).append(_whole(each))
        elif each.native_type == "GCP::IAM::Policy":
            resource = f"//cloudresourcemanager.googleapis.com/projects/{each.account}"
            policy = {k: v for k, v in _whole(each).items() if k in ("bindings", "etag", "version")}
            found.append((place, {"policies": [{"resource": resource, "policy": policy}]}))
        elif (
            each.native_type == "GCP::IAM::Role" and "includedPermissions" in each.attributes
        ) or each.native_type.endswith("Authorization::RoleAssignment"):
            found.append((place, _whole(each)))
        elif each.platform == "kubernetes" and sort in _RBAC:
            found.append((place, {**_whole(each), "kind": sort}))
    return [(where, export), *found] if export else found


def _whole(component: Component) -> dict[str, Any]:
    """Return what the platform said of a component.

    :raises IncompleteError: a policy in it is not whole.
    """
    attributes = component.attributes
    if any(_is_cut(attributes.get(key)) for key in attributes):
        raise IncompleteError(
            f"reading the permissions of {component.id}",
            got="a policy of which the inventory hid or cut a part",
            expected="all of it",
            state="nothing was translated",
            remedy="give the account's export as a file: heavylift access translate FILE… --source",
            code="8106",
        )
    return attributes


def _is_cut(value: Any, *, inside: bool = False) -> bool:
    if isinstance(value, dict):
        if inside and len(value) >= _CUT:
            return True
        return any(_is_cut(each, inside=inside or key in _DOCUMENTS) for key, each in value.items())
    if isinstance(value, list):
        return len(value) >= _CUT or any(_is_cut(each, inside=inside) for each in value)
    return inside and isinstance(value, str) and ("***" in value or value.endswith(" characters)"))
