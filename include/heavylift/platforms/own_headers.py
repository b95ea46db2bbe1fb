"""Headers that S3 alone keeps with an object: when a page expires, and where a website sends its reader.

Elsewhere they lie in one metadata entry, in the form of tags, and are headers again when copied back.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from heavylift.platforms.tags import KEPT_OTHERWISE, decode_tags, encode_tags

NAMES = ("expires", "x-amz-website-redirect-location")
ENTRY = "heavylift-headers"


def only_own(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of ``headers`` that S3 alone keeps; names are lower case."""
    return {name: headers[name] for name in NAMES if headers.get(name)}


def entry_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that carries them; empty where there are none."""
    return {ENTRY: encode_tags(headers)} if headers else {}


def take_entry(metadata: MutableMapping[str, str]) -> dict[str, str]:
    """Take the headers out of a store's metadata; what is not exactly in their form stays there."""
    headers = decode_tags(metadata.get(ENTRY, ""))
    if not headers or not headers.keys() <= set(NAMES):
        return {}
    del metadata[ENTRY]
    return headers


def told_elsewhere(headers: Mapping[str, str], metadata: Mapping[str, str]) -> list[str]:
    """Return in words what becomes of them in a store that has no such headers."""
    if not headers:
        return []
    names = ", ".join(sorted(headers))
    told = [f"{names}{KEPT_OTHERWISE}the metadata entry {ENTRY!r}, as only S3 has such headers"]
    if ENTRY in metadata:
        told.append(f"metadata entry {ENTRY!r}: lost, as those headers take its place")
    return told
