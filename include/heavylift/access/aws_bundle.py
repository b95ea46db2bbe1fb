"""AWS's documents in one form: a policy, a list of identities, or what the account's own export holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heavylift.access.documents import mapping, parse_documents, several, unusable
from heavylift.access.model import Document

_DETAILS = ("RoleDetailList", "UserDetailList", "GroupDetailList", "Policies")


def aws_bundle(found: Iterable[tuple[str, Any]]) -> Document:
    """Return a bundle of what files hold.

    :param found: (file, document) for each: a policy (of an identity with the file's name), the output of
        ``aws iam get-account-authorization-details``, or ``{"identities": [{"id", "policies", "boundary",
        "scps", "trust"}]}``.
    :raises SpecError: something is none of them.
    """
    identities: list[Document] = []
    for where, document in found:
        given = mapping(document, where, "a policy, or identities with policies")
        if "Statement" in given:
            name = where.rpartition("/")[2].removesuffix(".json")
            identities.append({"id": name, "policies": [{"name": where, "document": given}]})
        elif any(each in given for each in _DETAILS):
            identities += _Export(given, where).identities()
        elif "identities" in given:
            identities += [_own(each, where) for each in several(given["identities"], where)]
        else:
            raise unusable(
                where, f"keys {', '.join(map(str, list(given)[:5]))}", "Statement, identities or RoleDetailList",
                "give a policy, a bundle, or aws iam get-account-authorization-details",
            )  # fmt: skip
    _demand_unique(identities)
    return {"platform": "aws", "identities": identities}


def _own(given: Any, where: str) -> Document:
    identity = mapping(given, where, "an identity")
    if not isinstance(identity.get("id"), str) or not identity["id"]:
        raise unusable(where, "an identity without id", "its name or ARN", "add id")
    odd = set(identity) - {"id", "policies", "boundary", "scps", "trust"}
    if odd:
        raise unusable(
            where, f"the key {min(map(str, odd))!r}", "id, policies, boundary, scps, trust", "correct it"
        )
    policies = [
        _named(each, f"{where}, {identity['id']}") for each in several(identity.get("policies"), where)
    ]
    return {**identity, "policies": policies}


def _named(policy: Any, where: str) -> Document:
    given = mapping(policy, where, "a policy")
    if "document" in given:
        return {"name": str(given.get("name", "policy")), "document": _document(given["document"], where)}
    return {"name": "policy", "document": given}


def _document(value: Any, where: str) -> Any:
    if not isinstance(value, str):
        return value
    from urllib.parse import unquote

    return parse_documents(unquote(value) if value.startswith("%7B") else value, where)


def _demand_unique(identities: list[Document]) -> None:
    seen: set[str] = set()
    for each in identities:
        if each["id"] in seen:
            raise unusable(str(each["id"]), "two identities of one id", "each once", "merge their policies")
        seen.add(each["id"])


class _Export:
    """The output of ``aws iam get-account-authorization-details``."""

    def __init__(self, given: Mapping[str, Any], where: str) -> None:
        self.given, self.where = given, where
        self.managed = {
            each["Arn"]: _document(version["Document"], where)
            for each in several(given.get("Policies"), where)
            for version in several(each.get("PolicyVersionList"), where)
            if version.get("IsDefaultVersion")
        }
        self.groups = {each["GroupName"]: each for each in several(given.get("GroupDetailList"), where)}

    def identities(self) -> Iterator[Document]:
        """Yield roles and users with all policies that hold for them."""
        for each in several(self.given.get("RoleDetailList"), self.where):
            trust = _document(each.get("AssumeRolePolicyDocument"), self.where)
            yield {**self._identity(each, "RolePolicyList"), "trust": trust}
        for each in several(self.given.get("UserDetailList"), self.where):
            user = self._identity(each, "UserPolicyList")
            for name in several(each.get("GroupList"), self.where):
                if name not in self.groups:
                    raise self._missing(each, f"the group {name!r}")
                user["policies"] += self._policies(self.groups[name], "GroupPolicyList")
            yield user

    def _identity(self, given: Mapping[str, Any], inline: str) -> Document:
        made: Document = {"id": given["Arn"], "policies": self._policies(given, inline)}
        boundary = (given.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if boundary is not None:
            made["boundary"] = self._managed(given, boundary)
        return made

    def _policies(self, given: Mapping[str, Any], inline: str) -> list[Document]:
        found = [
            {"name": each["PolicyName"], "document": _document(each["PolicyDocument"], self.where)}
            for each in several(given.get(inline), self.where)
        ]
        for each in several(given.get("AttachedManagedPolicies"), self.where):
            found.append({"name": each["PolicyName"], "document": self._managed(given, each["PolicyArn"])})
        return found

    def _managed(self, given: Mapping[str, Any], arn: str) -> Any:
        if arn not in self.managed:
            raise self._missing(given, f"the managed policy {arn}")
        return self.managed[arn]

    def _missing(self, given: Mapping[str, Any], what: str) -> Exception:
        return unusable(
            f"{self.where}, {given.get('Arn', given.get('GroupName'))}", f"{what} without its document",
            "every policy that is attached",
            "export all of them: aws iam get-account-authorization-details without --filter",
        )  # fmt: skip
