"""The fraud model that the scoring servers serve: ``python -m sandbox.examples.scoring_model FOLDER``.

A logistic regression over three columns, trained on made rows; the same every time.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

COLUMNS = ("amount", "velocity", "distance")
BODY = '{"dataframe_split": {"columns": ["amount", "velocity", "distance"], "data": [[1.0, -0.5, 0.25]]}}'
"""A request that the servers answer."""


def main(folder: Path) -> None:
    """Train the model and save it in ``folder``, which must not exist."""
    import mlflow.sklearn
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped]
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    generator = np.random.default_rng(42)
    rows = pd.DataFrame(generator.normal(size=(2000, 3)), columns=list(COLUMNS))
    fraud = (rows @ [1.0, -2.0, 0.5] + 0.7 * generator.normal(size=2000) > 0).astype(int)
    model = LogisticRegression().fit(rows, fraud)
    signature = infer_signature(rows[:5], model.predict(rows[:5]))
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=signature,
        pip_requirements=["mlflow", "scikit-learn"],
        serialization_format="skops",
    )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(Path(sys.argv[1]))
