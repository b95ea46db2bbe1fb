"""Case papers of the fraud team, under the keys that people and programs really give to files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from sandbox.examples.objects import SeedObject
from sandbox.examples.tables import Scale

PREFIX = "documents"
CASES = 210
LONGEST_KEY = 1_000
"""Characters, and bytes, of the longest key; S3 and Cloud Storage allow 1,024 bytes."""


def document_objects(scale: Scale) -> Iterator[SeedObject]:
    """Yield the case files, a few policies, and the objects with awkward keys."""
    yield from (case(scale, number) for number in range(CASES))
    yield policy(1)
    for number, key in enumerate(awkward_keys()):
        yield _awkward(scale, number, key)


def case(scale: Scale, number: int) -> SeedObject:
    """Return one case file: every fifth a scan, the others text."""
    month, scanned = 8 + number % 3, number % 5 == 0
    suffix, content_type = ("pdf", "application/pdf") if scanned else ("txt", "text/plain; charset=utf-8")
    return SeedObject(
        f"{PREFIX}/cases/2026/{month:02d}/case-{number:06d}.{suffix}",
        lambda: _scan(scale, number) if scanned else _letter(number),
        content_type,
        content_disposition=f'attachment; filename="case-{number}.pdf"' if scanned else None,
        content_language=None if scanned else "en-GB",
        metadata={"case-number": str(number), "clerk": "j.doe"},
        tags={"retention": "10y", "class": "confidential"} if number % 7 == 0 else {},
    )


def policy(edition: int) -> SeedObject:
    """Return the policy paper; a later edition lies under the same key with other content."""
    text = f"# Fraud policy\n\nEdition {edition}.\n\nBlock above a score of 0.{90 + edition}.\n"
    return SeedObject(
        f"{PREFIX}/policies/fraud-policy.md",
        text.encode,
        "text/markdown; charset=utf-8",
        cache_control="no-cache",
        metadata={"edition": str(edition)},
        tags={"class": "public"},
    )


def awkward_keys() -> tuple[str, ...]:
    """Return the awkward keys that every store of the sandbox can hold.

    Those that the sandbox's S3 source would rewrite (``//``, ``./``, ``..``) are in
    :func:`fidelity_keys`.
    """
    return (*(f"{PREFIX}/awkward/{name}" for name in _AWKWARD), _long_key(), _deep_key())


_AWKWARD = (
    "empty.bin",
    "name with  two blanks.txt",
    " leading blank.txt",
    "trailing blank ",
    unicodedata.normalize("NFC", "café/résumé.txt"),
    unicodedata.normalize("NFD", "café/résumé.txt"),
    "日本語/取引.txt",
    "עברית.txt",
    "🦄 emoji 👩‍👩‍👧.txt",
    "plus+sign.txt",
    "100%.txt",
    "looks%20encoded%2Fbut-is-not.txt",
    "hash#tag.txt",
    "question?mark=1&more=2.txt",
    "semi;colon,comma.txt",
    "equals=sign/day=2026-10-01/part.txt",
    "brackets[1]{2}(3).txt",
    "star*.txt",
    'quotes\'and"double".txt',
    "colon:pipe|tilde~caret^backtick`.txt",
    "at@dollar$exclamation!.txt",
    "less<than>.txt",
    ".hidden",
    ".dot-folder/..two-dots",
    "...",
    "UPPER and lower.txt",
    "upper AND LOWER.txt",
    "no-extension",
    "dash-/-slash",
    "-leading-dash.txt",
    "sorted/a b",
    "sorted/a!b",
    "sorted/a-b",
    "sorted/a.b",
    "sorted/a/b",
    "sorted/a0b",
)


def fidelity_keys() -> tuple[str, ...]:
    """Return keys that S3 and Cloud Storage allow but that path-minded software rewrites.

    SeaweedFS, the sandbox's S3 source, rewrites or refuses them itself, so tests put them on the
    sandbox's control server, which keeps every key as it is.
    """
    return (
        "fidelity/x//y",
        "fidelity///three",
        "fidelity/./dot",
        "fidelity/a/../dot-dot",
        "fidelity/ends-in-dot-dot/..",
        "fidelity/ends-in-dot/.",
        "fidelity/back\\slash",
        "fidelity/trailing-slash/",
        "fidelity/both",
        "fidelity/both/",
        "fidelity/both/child",
        "fidelity/tab\there",
        "/leading-slash",
        "//two-leading-slashes",
        "fidelity//",
    )


def _awkward(scale: Scale, number: int, key: str) -> SeedObject:
    name = key.rsplit("/", 1)[-1]
    body = b"" if name == "empty.bin" else f"{number}: {key}\n".encode() * (1 + number)
    return SeedObject(
        key,
        lambda: body,
        "text/plain; charset=utf-8",
        cache_control="private, max-age=3600" if number % 3 == 0 else None,
        metadata={"position": str(number), "checked": "yes"} if number % 2 else {},
        tags={"kind": "awkward", "position": str(number)} if number % 4 == 0 else {},
    )


def _long_key() -> str:
    start = f"{PREFIX}/awkward/long/"
    # Segments stay below 255 characters, so that a file system can hold them too.
    rest = "/".join(f"{number:03d}-" + "x" * 95 for number in range(10))
    return (start + rest)[: LONGEST_KEY - 4] + ".txt"


def _deep_key() -> str:
    return f"{PREFIX}/awkward/deep/" + "/".join(str(level) for level in range(60)) + "/end.txt"


def _scan(scale: Scale, number: int) -> bytes:
    rng = scale.generator(6, number)
    return b"%PDF-1.7\n" + rng.bytes(int(rng.integers(20_000, 400_000))) + b"\n%%EOF\n"


def _letter(number: int) -> bytes:
    line = (
        f"Case {number}: the cardholder denies payment of {number % 97}.{number % 10}0 EUR – see enclosure.\n"
    )
    return (line * (10 + number % 60)).encode()
