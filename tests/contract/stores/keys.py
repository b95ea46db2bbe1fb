"""Keys that stores, proxies and clients are known to bend, drop or merge."""

from __future__ import annotations

LONG_KEY = "/".join(["l" * 250] * 4) + "/" + "x" * 20
"""1,024 bytes with no element above 255, which is what most file systems hold."""

AWKWARD_KEYS: tuple[str, ...] = (
    "plain.txt",
    "./dot",
    "a/./b",
    "a//b",
    "/lead",
    "trail/",
    "p/../q",
    "caf\u00e9",
    "cafe\u0301",
    "a+b",
    "a b",
    "a%b",
    "a%2Bb",
    "a%20b",
    "a#b",
    "a?b=c",
    "a&b",
    "a=b",
    "a;b",
    "a,b@c:d!$'()*",
    "two  spaces",
    " lead",
    "trail ",
    "back\\slash",
    'quote"s',
    "<tag>&amp;",
    "{a}|[b]^`~",
    "😀/🙈.bin",
    "日本/語.txt",
    "tab\there",
    "new\nline",
    "control\x01",
    "..",
    "soap",
    "x" * 1024,
    LONG_KEY,
    "\u00e9" * 512,
)
