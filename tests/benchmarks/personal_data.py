"""``python -m tests.benchmarks.personal_data [PYTHON]``: speed, recall and precision of the scan.

PYTHON is an interpreter of a venv that has presidio-analyzer, which then reads the same mixed file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from heavylift.compliance.detector import find
from heavylift.compliance.gathering import Gathered
from heavylift.compliance.json_files import take_json
from heavylift.compliance.parquet import take_row_group
from heavylift.compliance.text_files import Header, take_csv, take_text
from heavylift.compliance.units import BLOCK_BYTES
from tests.support.personal_data import MADE, corpus, plain_text

RUNS = 3
MB = 1_000_000
_PRESIDIO = """
import logging, sys, time, spacy
logging.disable(logging.CRITICAL)
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine
class Blank(SpacyNlpEngine):
    def __init__(self):
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}
engine = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
engine.analyze(lines[0], "en")
began = time.perf_counter()
for line in lines:
    engine.analyze(line, "en")
print(time.perf_counter() - began)
"""


def best(act: Callable[[], object]) -> float:
    """Return the seconds of the best of :data:`RUNS` runs, after one that is not counted."""
    act()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


def main(arguments: list[str]) -> None:
    """Measure, and print a table."""
    plain = plain_text(16 * MB)[: 16 * MB]
    mixed = "\n".join(line.text for line in corpus()).encode()
    rows = [line.decode("utf-8", "ignore") for line in plain[: 8 * MB].splitlines()]
    documents = [json.dumps({"id": i, "note": row, "score": 0.5}) for i, row in enumerate(rows)]
    as_json = "\n".join(documents).encode()
    as_csv = "\n".join(f"{i},{row},0.5" for i, row in enumerate(rows)).encode()
    header = Header(("id", "note", "score"), ",", 0)
    loads: dict[str, tuple[int, Callable[[], object]]] = {
        "text, no candidates": (len(plain), lambda: take_text(Gathered(), plain, "u")),
        "CSV, no candidates": (len(as_csv), lambda: take_csv(Gathered(), header, as_csv, "u")),
        "JSON lines, no candidates": (len(as_json), lambda: _json(as_json)),
        "mixed text": (len(mixed), lambda: take_text(Gathered(), mixed, "u")),
    }
    with tempfile.TemporaryDirectory() as folder:
        loads["Parquet, no candidates"] = (len(as_csv), _parquet(Path(folder) / "p.parquet", rows))
        for name, (size, act) in loads.items():
            print(f"{name:<28} {size / MB:7.2f} MB {size / MB / best(act):9.1f} MB/s")
        for python in arguments:
            file = Path(folder) / "mixed.txt"
            file.write_bytes(mixed)
            done = subprocess.run(
                [python, "-c", _PRESIDIO, str(file)], check=True, capture_output=True, text=True
            )
            rate = len(mixed) / MB / float(done.stdout)
            print(f"{'mixed text, Presidio alone':<28} {len(mixed) / MB:7.2f} MB {rate:9.3f} MB/s")
    _quality()


def _json(data: bytes) -> None:
    """Take in documents by blocks of whole lines, as a scan reads a file."""
    gathered, position = Gathered(), 0
    while position < len(data):
        end = data.find(b"\n", min(position + BLOCK_BYTES, len(data) - 1)) + 1 or len(data)
        take_json(gathered, data[position:end], "u")
        position = end


def _parquet(path: Path, rows: list[str]) -> Callable[[], object]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": range(len(rows)), "note": rows, "score": [0.5] * len(rows)}), path)
    return lambda: take_row_group(Gathered(), path, 0, "u")


def _quality() -> None:
    true, missed, wrong = Counter[str](), Counter[str](), Counter[str]()
    for line in corpus():
        seen = {hit.entity for hit in find(line.text.encode()) if hit.valid}
        for entity in seen:
            (true if entity is line.entity else wrong)[entity] += 1
        if line.entity is not None and line.entity not in seen:
            missed[line.entity] += 1
    for entity in MADE:
        recall = true[entity] / (true[entity] + missed[entity])
        precision = true[entity] / (true[entity] + wrong[entity])
        print(f"{entity.value:<28} recall {recall:.3f} precision {precision:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
