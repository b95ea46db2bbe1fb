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
    return "storage.objects.get" if "/o/" in path else "storage.buckets.get"
