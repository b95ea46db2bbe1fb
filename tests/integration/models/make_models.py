"""Makes the sample models: run by a process of its own, with the folder as its argument.

- ``skops``: a classifier in the default form, with signature and input example; ``copy`` is the same.
- ``retrained``: trained on other rows. ``pickled``: the same classifier as a pickle. ``forest``: regression.
- ``centroid``: a classifier that no converter knows.
- ``golden.parquet``: rows with a column of truth and one to slice by.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PACKAGES = ("scikit-learn", "skops", "pandas", "numpy", "cloudpickle", "mlflow-skinny")


def main(folder: Path) -> None:
    """Make everything below ``folder``."""
    generator = np.random.default_rng(42)
    columns = ["amount", "velocity", "distance"]
    rows = pd.DataFrame(generator.normal(size=(4000, 3)), columns=columns)
    truth = (rows @ [1.0, -2.0, 0.5] + 0.7 * generator.normal(size=4000) > 0).astype(int)
    train, asked = slice(0, 2000), slice(2000, 4000)
    pins = [f"{name}=={version(name)}" for name in PACKAGES]

    def save(model: object, name: str, form: str = "skops", **options: object) -> None:
        mlflow.sklearn.save_model(
            model,
            folder / name,
            signature=infer_signature(rows[:5], model.predict(rows[:5])),  # type: ignore[attr-defined]
            input_example=rows[:20],
            pip_requirements=pins,
            serialization_format=form,
            **options,
        )

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[train], truth[train])
    save(model, "skops")
    shutil.copytree(folder / "skops", folder / "copy")
    save(model, "pickled", "cloudpickle")
    other = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[asked], truth[asked])
    save(other, "retrained")
    forest = RandomForestRegressor(n_estimators=10, max_depth=5, random_state=0)
    forest.fit(rows[train], rows[train] @ [1.0, 2.0, 3.0])
    save(forest, "forest", skops_trusted_types=["sklearn.tree._tree.Tree"])
    save(NearestCentroid().fit(rows[train], truth[train]), "centroid", "cloudpickle")
    golden = rows[asked].assign(truth=truth[asked], region=np.where(rows[asked].amount > 0, "north", "south"))
    golden.to_parquet(folder / "golden.parquet")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(Path(sys.argv[1]))
