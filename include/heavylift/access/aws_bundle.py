"""AWS's documents in one form: a policy, a list of identities, or what the account's own export holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heavylift.access.documents import first_keys, mapping, parse_documents, several, unusable
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
                where, first_keys(given), "Statement, identities or RoleDetailList",
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
            str(each["Arn"]): _document(version["Document"], where)
            for each in self._several(given, "Policies", "Arn")
            for version in self._several(each, "PolicyVersionList", "Document")
            if version.get("IsDefaultVersion")
        }
        self.groups = {
            each["GroupName"]: each for each in self._several(given, "GroupDetailList", "GroupName")
        }

    def _several(self, given: Mapping[str, Any], key: str, *needed: str) -> list[Mapping[str, Any]]:
        found = [mapping(each, f"{self.where}, {key}") for each in several(given.get(key), self.where)]
        for each in found:
            lacking = [name for name in needed if name not in each]
            if lacking:
                raise unusable(
                    f"{self.where}, {key}",
                    f"an entry without {lacking[0]}",
                    "AWS's own export",
                    "export again",
                )
        return found

    def identities(self) -> Iterator[Document]:
        """Yield roles and users with all policies that hold for them."""
        for each in self._several(self.given, "RoleDetailList", "Arn"):
            trust = _document(each.get("AssumeRolePolicyDocument"), self.where)
            yield {**self._identity(each, "RolePolicyList"), "trust": trust}
        for each in self._several(self.given, "UserDetailList", "Arn"):
            user = self._identity(each, "UserPolicyList")
            for name in several(each.get("GroupList"), self.where):
                if name in self.groups:
                    self._add(user, self.groups[name], "GroupPolicyList")
                else:
                    user["missing"].append(f"the group {name}")
            yield user

    def _identity(self, given: Mapping[str, Any], inline: str) -> Document:
        made: Document = {"id": given["Arn"], "policies": [], "missing": []}
        self._add(made, given, inline)
        boundary = (given.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if boundary in self.managed:
            made["boundary"] = self.managed[boundary]
        elif boundary is not None:
            made["missing"].append(f"the boundary {boundary}")
        return made

    def _add(self, made: Document, given: Mapping[str, Any], inline: str) -> None:
        for each in self._several(given, inline, "PolicyName", "PolicyDocument"):
            document = _document(each["PolicyDocument"], self.where)
            made["policies"].append({"name": each["PolicyName"], "document": document})
        for each in self._several(given, "AttachedManagedPolicies", "PolicyArn"):
            arn = str(each["PolicyArn"])
            if arn in self.managed:
                made["policies"].append({"name": arn.rpartition("/")[2], "document": self.managed[arn]})
            else:
                made["missing"].append(f"the policy {arn}")
