"""The proof by both databases alone, which no command makes without the other one.

Takes the options of ``heavylift registry verify`` and prints how many tables were compared.
"""

from __future__ import annotations

import argparse
import json
import time

from heavylift.cli.registry_options import request_of
from heavylift.registry.verifying import compare_stores


def main() -> None:
    """Compare all tables and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("act")
    for name in ("--source-conn", "--target-conn", "--evidence"):
        parser.add_argument(name)
    parser.add_argument("--artifacts", action="append")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    request = request_of(
        asked.source_conn, asked.target_conn, None, None, asked.artifacts, None, "shell", asked.evidence, None
    )
    began = time.monotonic()
    proofs = compare_stores(request)
    seconds = time.monotonic() - began
    unequal = sum(not each.equal for each in proofs)
    print(json.dumps({"tables": len(proofs), "unequal": unequal, "seconds": seconds}))


if __name__ == "__main__":
    main()
