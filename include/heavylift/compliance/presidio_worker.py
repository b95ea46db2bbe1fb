"""Run by an interpreter that has presidio-analyzer: texts on standard input, counts on standard output.

It stands alone, needs no model and no network, writes no file, and gives no text back.
"""

from __future__ import annotations

import importlib
import json
import logging
import socket
import sys
import time
from typing import Any

ENOUGH = 0.5
"""Scores from which on Presidio counts as sure; weak forms without a check have less."""

FIRST = ["write to someone@example.com or call +1 202-555-0143", "order 4866721903077891, fax 020 7946 0341"]
"""Texts that make everything be read that is read once."""


def _refuse(*_arguments: object, **_more: object) -> None:
    raise OSError("no network here")


def recognisers() -> list[Any]:
    """Return Presidio's own recognisers that go by a form and need neither a model nor a service."""
    # By name, for only the interpreter of that environment has them.
    tldextract: Any = importlib.import_module("tldextract")
    base = importlib.import_module("presidio_analyzer").PatternRecognizer
    known = importlib.import_module("presidio_analyzer.predefined_recognizers")

    # The list of domains that comes with the package; the newest one is on the internet.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    found = []
    for name in sorted(dir(known)):
        kind = getattr(known, name)
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base:
            found.append(kind())
    return [*found, known.PhoneRecognizer()]


def main() -> None:
    """Answer one question."""
    logging.disable(logging.CRITICAL)
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    socket.getaddrinfo = _refuse  # type: ignore[assignment]
    asked = json.load(sys.stdin)
    kinds = set(asked["kinds"])
    able = [each for each in recognisers() if kinds.intersection(each.supported_entities)]
    # Forms are compiled, and lists of domains and each region's numbering plan are read, by the first texts.
    _counted(able, kinds, FIRST)
    began = time.process_time()
    counts = [_counted(able, kinds, texts) for texts in asked["texts"]]
    json.dump({"counts": counts, "seconds": time.process_time() - began}, sys.stdout)


def _counted(able: list[Any], kinds: set[str], texts: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        seen = {
            each.entity_type
            for one in able
            for each in one.analyze(text, one.supported_entities, None) or ()
            if each.score >= ENOUGH
        }
        for kind in seen & kinds:
            counts[kind] = counts.get(kind, 0) + 1
    return counts


if __name__ == "__main__":
    main()
