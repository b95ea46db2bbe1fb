"""The uploads in parts that a bucket still holds components of; see ``composing``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.platforms.gcp.rules import PARTS_FOLDER, is_own_name
from heavylift.platforms.gcp.wire import BucketWire
from heavylift.platforms.open_uploads import OpenUpload


async def open_uploads(wire: BucketWire) -> AsyncIterator[list[OpenUpload]]:
    """Yield every upload of the bucket that has components; a listing does not tell their keys."""
    last = ""
    async for page in wire.pages(f"{PARTS_FOLDER}/"):
        # Names come in order, so the components of one upload follow each other.
        found = []
        for name in (resource["name"] for resource in page):
            token = name.split("/")[1]
            if is_own_name(name) and token != last:
                last = token
                found.append(OpenUpload(token, f"{PARTS_FOLDER}/{token}/"))
        yield found
