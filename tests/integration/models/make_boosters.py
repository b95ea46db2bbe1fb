"""Makes bare boosters of XGBoost and LightGBM: run by an interpreter that has both, with the folder.

- ``booster``: XGBoost's, as MLflow keeps it; ``copy`` is the same. ``retrained``, ``older`` (a round less),
  ``rounded`` (its numbers with 16 bits), ``swapped`` (two features).
- ``positive.ubj``, ``each.json``, ``label.ubj``, ``numbers.json``: XGBoost's own files, one for each kind of
  answer; ``margin.ubj`` has an objective without a faithful form.
- ``positive.txt``, ``each.txt``: LightGBM's own. ``golden.parquet``: inputs with their truth.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import lightgbm
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature

COLUMNS = ["amount", "velocity", "distance"]


def boosted(
    rows: pd.DataFrame, truth: object, objective: str, rounds: int = 10, **more: int
) -> xgboost.Booster:
    """Return a small booster of XGBoost."""
    given = xgboost.DMatrix(rows, label=truth)
    return xgboost.train({"objective": objective, "max_depth": 3, "nthread": 1, **more}, given, rounds)


def rounded(booster: xgboost.Booster, path: Path) -> xgboost.Booster:
    """Return a booster whose numbers have 16 bits."""
    booster.save_model(path)
    document = json.loads(path.read_text())
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        for name in ("split_conditions", "base_weights"):
            tree[name] = [float(np.float16(each)) for each in tree[name]]
    path.write_text(json.dumps(document))
    return xgboost.Booster(model_file=path)


def main(folder: Path) -> None:
    """Make everything below ``folder``."""
    generator = np.random.default_rng(3)
    rows = pd.DataFrame(generator.normal(size=(3000, 3)), columns=COLUMNS)
    numbers = rows @ [1.0, -2.0, 0.5] + 0.5 * generator.normal(size=3000)
    truth, parts = (numbers > 0).astype(int), np.digitize(numbers, [-1.0, 1.0])
    train, asked = slice(0, 1500), slice(1500, 3000)
    pins = [f"{name}=={version(name)}" for name in ("xgboost", "numpy", "pandas", "mlflow-skinny")]

    def save(model: xgboost.Booster, name: str) -> None:
        signature = infer_signature(rows[:5], model.predict(xgboost.DMatrix(rows[:5])))
        mlflow.xgboost.save_model(
            model, folder / name, signature=signature, input_example=rows[:20], pip_requirements=pins
        )

    logistic = "binary:logistic"
    booster = boosted(rows[train], truth[train], logistic)
    save(booster, "booster")
    shutil.copytree(folder / "booster", folder / "copy")
    save(boosted(rows[asked], truth[asked], logistic), "retrained")
    save(boosted(rows[train], truth[train], logistic, 9), "older")
    save(rounded(booster, folder / "rounded.json"), "rounded")
    swapped = rows[train].rename(columns={"amount": "velocity", "velocity": "amount"})[COLUMNS]
    save(boosted(swapped, truth[train], logistic), "swapped")
    booster.save_model(folder / "positive.ubj")
    boosted(rows, parts, "multi:softprob", num_class=3).save_model(folder / "each.json")
    boosted(rows, parts, "multi:softmax", num_class=3).save_model(folder / "label.ubj")
    boosted(rows, numbers, "reg:squarederror").save_model(folder / "numbers.json")
    boosted(rows, truth, "binary:logitraw").save_model(folder / "margin.ubj")
    quiet = {"verbose": -1, "num_threads": 1}
    for name, options, labels in (
        ("positive.txt", {"objective": "binary"}, truth),
        ("each.txt", {"objective": "multiclass", "num_class": 3}, parts),
    ):
        made = lightgbm.train({**quiet, **options}, lightgbm.Dataset(rows, label=labels), 10)
        made.save_model(folder / name)
    rows[asked].assign(truth=truth[asked]).to_parquet(folder / "golden.parquet")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(Path(sys.argv[1]))
