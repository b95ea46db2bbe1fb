"""Which permission a request to Cloud Storage needs, for the message of one that was refused.

https://docs.cloud.google.com/storage/docs/access-control/iam-json
"""

from __future__ import annotations

from urllib.parse import urlsplit

from heavylift.platforms.http import Request


def permission_of(request: Request) -> str:
    """Return what a request needs, as a role spells it."""
    path = urlsplit(request.url).path
    if request.method == "DELETE":
        return "storage.objects.delete"
    if request.method in {"POST", "PUT"}:
        more = ", get" if path.endswith("/compose") else ""
        return f"storage.objects.create{more} and, where it replaces an object, delete"
    if request.method == "PATCH":
        return "storage.objects.update"
    if path.endswith("/o"):
        return "storage.objects.list"
    if "/o/" not in path:
        return "storage.buckets.get"
    with_list = "projection=full" in urlsplit(request.url).query
    return "storage.objects.get" + (" and getIamPolicy" if with_list else "")
