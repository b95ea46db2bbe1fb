"""``python -m tests.benchmarks.compliance.work FILE FORMAT [PYTHON]``: scan a file, and print what it took.

With PYTHON, an interpreter that has presidio-analyzer, a second opinion is asked, and the time in which
Presidio looks is part of what is printed; that in which it starts is not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from heavylift.compliance.gathering import Gathered
from heavylift.compliance.json_files import take_json
from heavylift.compliance.opinions import answer
from heavylift.compliance.text_files import Header, take_csv, take_text
from heavylift.compliance.units import BLOCK_BYTES

Take = Callable[[Gathered, bytes], object]
TAKES: dict[str, Take] = {
    "text": lambda gathered, data: take_text(gathered, data, "u"),
    "csv": lambda gathered, data: take_csv(gathered, Header(("id", "note", "score"), ",", 0), data, "u"),
    "json": lambda gathered, data: take_json(gathered, data, "u"),
}


def scanned(data: bytes, take: Take, *, sampled: bool) -> Gathered:
    """Take in a file by blocks of whole lines, as a scan does."""
    gathered, position = Gathered(sampled=sampled), 0
    while position < len(data):
        end = data.find(b"\n", min(position + BLOCK_BYTES, len(data) - 1)) + 1 or len(data)
        take(gathered, data[position:end])
        position = end
    return gathered


def main(file: str, name: str, python: str = "") -> None:
    """Scan, and print the seconds, the bytes and the hits."""
    data = Path(file).read_bytes()
    take = TAKES[name]
    scanned(data[:BLOCK_BYTES], take, sampled=False)  # compiles the patterns
    began = time.process_time()
    gathered = scanned(data, take, sampled=bool(python))
    seconds = time.process_time() - began
    hits = sum(seen.hits for column in gathered.columns.values() for seen in column.entities.values())
    samples = [column.samples for column in gathered.columns.values() if column.samples]
    if samples:
        seconds += answer(samples, Path(python))["seconds"]
    print(json.dumps({"seconds": seconds, "bytes": len(data), "hits": hits, "asked": sum(map(len, samples))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
