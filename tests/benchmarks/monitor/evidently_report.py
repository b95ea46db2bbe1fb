"""Run by the peer's own Python: ``evidently_report.py REFERENCE CURRENT`` prints which columns drifted."""

from __future__ import annotations

import json
import sys


def main(reference: str, current: str) -> None:
    """Read both tables, let Evidently judge them by its defaults, print the columns with drift."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    before, now = pd.read_parquet(reference), pd.read_parquet(current)
    found = Report([DataDriftPreset()]).run(now, before).dict()
    drifted = []
    columns = 0
    for metric in found["metrics"]:
        config = metric["config"]
        if "ValueDrift" not in config["type"]:
            continue
        columns += 1
        by_chance = "p_value" in config["method"]
        beyond = (
            metric["value"] < config["threshold"] if by_chance else metric["value"] >= config["threshold"]
        )
        if beyond:
            drifted.append(config["column"])
    print(json.dumps({"columns": columns, "drifted": drifted}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
