"""Bodies, attributes and tags that the suite writes."""

from __future__ import annotations

from heavylift.platforms.ports import ObjectAttributes

ATTRIBUTES: dict[str, ObjectAttributes] = {
    "content type": ObjectAttributes(content_type="application/x-parquet; charset=utf-8"),
    "headers": ObjectAttributes(
        content_type="text/plain",
        cache_control="max-age=60, private",
        content_disposition='attachment; filename="a b.txt"',
        content_language="de-CH",
    ),
    "content encoding": ObjectAttributes(content_type="text/plain", content_encoding="gzip"),
    "metadata": ObjectAttributes(content_type="a/b", metadata={"owner": "team-x", "run": "7f3"}),
    "dashed metadata": ObjectAttributes(content_type="a/b", metadata={"mlflow-run": "7f3"}),
    "unicode metadata": ObjectAttributes(content_type="a/b", metadata={"owner": "Zoë 東京 😀"}),
    "spaced metadata": ObjectAttributes(content_type="a/b", metadata={"note": "two  spaces = 1+1; a,b"}),
}
TAGS = {"team": "fraud scoring", "cost-centre": "a+b=c/d:e@f.g_h", "umlaut": "größe"}
SIZES = (0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 1_048_576, 3_000_001)


def pattern(size: int) -> bytes:
    """Return ``size`` bytes in which every offset can be told from its neighbours."""
    block = b"".join(number.to_bytes(4, "big") for number in range(4096))
    return (block * (size // len(block) + 1))[:size]
