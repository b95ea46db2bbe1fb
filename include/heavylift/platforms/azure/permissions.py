"""Which permission a request to Blob Storage needs, for the message of one that was refused.

https://learn.microsoft.com/rest/api/storageservices/create-service-sas#permissions-for-a-directory-container-or-blob
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from heavylift.platforms.http import Request

_READER, _CONTRIBUTOR, _OWNER = (f"Storage Blob Data {name}" for name in ("Reader", "Contributor", "Owner"))


def permission_of(request: Request) -> str:
    """Return in words what a request needs."""
    letters, role = _needed(request)
    tags = " (or leave tags behind on purpose: metadata.tags of the dataset)" if role == _OWNER else ""
    return f"{letters} in a SAS, or the role {role}{tags}"


def _needed(request: Request) -> tuple[str, str]:
    query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    if query.get("comp") == "tags":
        return "t", _OWNER
    if query.get("comp") == "list":
        return "l", _READER
    if request.method in {"GET", "HEAD"}:
        return "r", _READER
    if request.method == "DELETE":
        return "d", _CONTRIBUTOR
    if "x-ms-tags" in {name.lower() for name in request.headers}:
        return "w and t", _OWNER
    return "w", _CONTRIBUTOR
