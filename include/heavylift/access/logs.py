"""Which permissions an identity has used, from access logs: read line by line, whatever their size."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from heavylift.access.documents import unusable
from heavylift.access.model import Place
from heavylift.access.table import expand_action

MAX_LINE = 64 * 1024 * 1024
"""Characters of one line: CloudTrail writes a file of many records as one."""
_ASSUMED = re.compile(r"arn:(?P<p>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/")
_VERSIONED = re.compile(r"(?:20\d{6}|20\d\d_\d\d_\d\d)(?:v\d+)?$")
_EVENT_NAMES = {
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:PutBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketCors": "s3:PutBucketCORS",
    "sagemaker:InvokeEndpointAsync": "sagemaker:InvokeEndpoint",
    "bedrock:Converse": "bedrock:InvokeModel",
}
"""Events whose name is not that of the permission."""
_SERVICES = {"monitoring": "cloudwatch"}
Use = tuple[str, str]
"""An identity and a permission."""


def used_permissions(source: Place, paths: Iterable[Path]) -> dict[str, frozenset[str]]:
    """Return the permissions that logs show each identity to have used.

    Denied requests do not count. Memory holds the distinct pairs and one line.

    :raises SpecError: a file cannot be read, or a line is no record of that platform's.
    """
    found: dict[str, set[str]] = {}
    read = _READERS[source.platform]
    for path in paths:
        for where, record in _records(path):
            for who, permission in read(record, where):
                found.setdefault(who, set()).add(permission)
    return {who: frozenset(names) for who, names in found.items()}


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with _opened(path) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                where = f"{path}, line {number}"
                if len(line) > MAX_LINE:
                    raise unusable(
                        where, f"more than {MAX_LINE:,} characters", "a shorter line", "split the file"
                    )
                if line.strip():
                    yield from _of_line(line, where)
    except (OSError, EOFError, UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise unusable(
            str(path), type(error).__name__, "a readable log, JSON lines or gz", "name the right file"
        ) from error


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed:
        return path.open(encoding="utf-8")
    return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8"))


def _of_line(line: str, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise unusable(where, "no JSON", "one record a line", "give the log as JSON lines") from error
    several = found.get("Records", found.get("records")) if isinstance(found, Mapping) else found
    records = several if isinstance(several, list) else [found]
    for each in records:
        if not isinstance(each, Mapping):
            raise unusable(where, type(each).__name__, "a record", "give the log as JSON lines")
        yield where, each


def _aws(record: Mapping[str, Any], where: str) -> Iterator[Use]:
    identity = record.get("userIdentity")
    if not isinstance(identity, Mapping) or "eventName" not in record:
        raise unusable(
            where, "no userIdentity or eventName", "a record of CloudTrail", "give CloudTrail's files"
        )
    if record.get("errorCode"):
        return
    service = str(record.get("eventSource", "")).removesuffix(".amazonaws.com")
    event = _VERSIONED.sub("", str(record["eventName"]))
    name = f"{_SERVICES.get(service, service)}:{event}"
    known = expand_action(_EVENT_NAMES.get(name, name))
    arn = str(identity.get("arn", ""))
    issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
    assumed = _ASSUMED.match(arn)
    who = issuer.get("arn") or (
        f"arn:{assumed['p']}:iam::{assumed['account']}:role/{assumed['role']}" if assumed else arn
    )
    yield from ((str(who), each) for each in known)


def _gcp(record: Mapping[str, Any], where: str) -> Iterator[Use]:
    payload = record.get("protoPayload")
    if not isinstance(payload, Mapping):
        raise unusable(
            where, "no protoPayload", "a record of Google's audit logs", "export cloudaudit.googleapis.com"
        )
    mail = str((payload.get("authenticationInfo") or {}).get("principalEmail", ""))
    sort = "serviceAccount" if mail.endswith(".gserviceaccount.com") else "user"
    for each in payload.get("authorizationInfo") or ():
        if isinstance(each, Mapping) and each.get("granted") and each.get("permission"):
            yield f"{sort}:{mail}", str(each["permission"])


def _azure(record: Mapping[str, Any], where: str) -> Iterator[Use]:
    name = record.get("operationName")
    name = name.get("value") if isinstance(name, Mapping) else name
    who = record.get("caller") or _of_claims(record)
    if not name:
        raise unusable(
            where, "no operationName", "a record of Azure's activity log", "export the activity log"
        )
    outcome = record.get("status", record.get("resultType", ""))
    outcome = outcome.get("value", "") if isinstance(outcome, Mapping) else outcome
    if who and str(outcome).lower() not in ("failed", "failure"):
        yield str(who), str(name)


def _of_claims(record: Mapping[str, Any]) -> str:
    identity = record.get("identity")
    claims = identity.get("claims") if isinstance(identity, Mapping) else None
    oid = "http://schemas.microsoft.com/identity/claims/objectidentifier"
    return str(claims.get(oid, "")) if isinstance(claims, Mapping) else ""


def _kubernetes(record: Mapping[str, Any], where: str) -> Iterator[Use]:
    user, target = record.get("user"), record.get("objectRef") or {}
    if not isinstance(user, Mapping) or "verb" not in record:
        raise unusable(where, "no user or verb", "a record of Kubernetes' audit log", "give the audit log")
    decision = (record.get("annotations") or {}).get("authorization.k8s.io/decision", "allow")
    if decision == "allow" and target.get("resource"):
        group = f"{target['apiGroup']}/" if target.get("apiGroup") else ""
        part = f"/{target['subresource']}" if target.get("subresource") else ""
        yield str(user.get("username", "")), f"{group}{target['resource']}{part}:{record['verb']}"


_READERS: dict[str, Callable[[Mapping[str, Any], str], Iterator[Use]]] = {
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "kubernetes": _kubernetes,
}
