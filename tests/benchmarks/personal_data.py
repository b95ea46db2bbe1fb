"""``python -m tests.benchmarks.personal_data``: recall and precision of the scan on made data, by kind.

Its speed is measured by ``./dev bench compliance``.
"""

from __future__ import annotations

from collections import Counter

from heavylift.compliance.detector import find
from tests.support.personal_data import MADE, corpus


def main() -> None:
    """Look at every line of the corpus, and print a table."""
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
    main()
