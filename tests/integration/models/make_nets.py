"""Makes models of PyTorch: run by an interpreter that has it, with the folder as its argument.

- ``net``: as MLflow pickles it; ``copy`` is the same, ``exported`` is it as MLflow exports it (``.pt2``).
- ``retrained``, ``older`` (fewer steps), ``half`` (weights rounded to 16 bits), ``swapped`` (two features).
- ``weights.pt``: its tensors alone; ``tied.pt``: a checkpoint, two of whose tensors are one.
- ``whole.pt``: a module, pickled; ``golden.npy``: inputs.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.pytorch
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

KIND = np.dtype("float32")
SIGNATURE = ModelSignature(
    Schema([TensorSpec(KIND, (-1, 3), name=None)]), Schema([TensorSpec(KIND, (-1, 2), name=None)])
)


def trained(rows: torch.Tensor, truth: torch.Tensor, seed: int, steps: int) -> torch.nn.Module:
    """Return a small network."""
    torch.manual_seed(seed)
    layers = torch.nn
    net = layers.Sequential(
        layers.Linear(3, 16), layers.ReLU(), layers.BatchNorm1d(16), layers.Dropout(0.1), layers.Linear(16, 2)
    )
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(rows), truth).backward()
        optimiser.step()
    return net.eval()


def main(folder: Path) -> None:
    """Make everything below ``folder``."""
    generator = np.random.default_rng(7)
    rows = generator.normal(size=(2000, 3)).astype(KIND)
    truth = torch.from_numpy((rows @ [1.0, -2.0, 0.5] > 0).astype(np.int64))
    given = torch.from_numpy(rows)
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in ("torch", "numpy", "mlflow-skinny")]

    def save(model: torch.nn.Module, name: str, form: str = "pickle") -> None:
        mlflow.pytorch.save_model(
            model, folder / name, serialization_format=form, signature=SIGNATURE, input_example=rows[:8],
            pip_requirements=pins,
        )  # fmt: skip

    net = trained(given, truth, seed=1, steps=30)
    save(net, "net")
    shutil.copytree(folder / "net", folder / "copy")
    save(net, "exported", "pt2")
    save(trained(given, truth, seed=2, steps=30), "retrained")
    save(trained(given, truth, seed=1, steps=29), "older")
    for name in ("half", "swapped"):
        other = trained(given, truth, seed=1, steps=30)
        first = other[0].weight.data
        first.copy_(first.half().float() if name == "half" else first[:, [1, 0, 2]])
        save(other, name)
    torch.save(net.state_dict(), folder / "weights.pt")
    tied = torch.nn.ModuleDict({"one": torch.nn.Linear(3, 4), "two": torch.nn.Linear(3, 4)})
    tied["two"].weight = tied["one"].weight
    tied.register_buffer("small", torch.ones(3, dtype=torch.bfloat16))
    torch.save({"state_dict": tied.state_dict(), "epoch": 3}, folder / "tied.pt")
    torch.save(net, folder / "whole.pt")
    np.save(folder / "golden.npy", generator.normal(size=(1000, 3)).astype(KIND))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(Path(sys.argv[1]))
