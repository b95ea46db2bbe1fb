"""What a process needs whose model is one of PyTorch; loaded by ``worker.py`` beside it."""

from __future__ import annotations

from typing import Any


class Exported:
    """A program of PyTorch, as torch.export keeps it."""

    def __init__(self, path: str) -> None:
        import torch

        self.program = torch.export.load(path)
        self.raw = self.program.module()
        given = (self.program.example_inputs or ((), {}))[0]
        self.kind = given[0].dtype if given and hasattr(given[0], "dtype") else None

    def predict(self, table: Any) -> Any:
        """Answer all rows."""
        return _answered(self.raw, self.kind, table)


class Script:
    """A program of TorchScript."""

    def __init__(self, path: str) -> None:
        import torch

        self.raw = torch.jit.load(path, map_location="cpu").eval()
        self.kind = next(
            (each.dtype for each in self.raw.parameters() if each.is_floating_point()), torch.float32
        )

    def predict(self, table: Any) -> Any:
        """Answer all rows."""
        return _answered(self.raw, self.kind, table)


def _answered(program: Any, kind: Any, table: Any) -> Any:
    import numpy
    import torch

    with torch.no_grad():
        rows = torch.from_numpy(numpy.ascontiguousarray(table))
        answered = program(rows if kind is None else rows.to(kind))
    if not isinstance(answered, torch.Tensor):
        raise TypeError(f"it answers with a {type(answered).__name__}, and one tensor is read")
    return (answered.float() if answered.dtype == torch.bfloat16 else answered).numpy()


class Weights:
    """Weights of PyTorch alone: they answer nothing."""

    def __init__(self, path: str) -> None:
        import pickle

        import torch

        if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
            raise RuntimeError(f"torch {torch.__version__} can be tricked into more than tensors; 2.6 cannot")
        # What torch reads so is tensors and plain containers; it makes no objects of anybody's classes.
        try:
            self.held = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            said = str(error).partition("GLOBAL ")[2].split(" ")[0] or "something else"
            raise TypeError(
                f"it holds {said}, and not weights alone: save its state_dict(), or keep it as MLflow does"
            ) from None

    def predict(self, table: Any) -> Any:
        """Refuse."""
        raise TypeError("weights alone answer no inputs")


def refill(module: Any, path: str) -> None:
    """Give a module the weights of a safetensors file, and nothing of its own."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as kept:
        found = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118 - it is no mapping
        same = kept.metadata() or {}
    found.update({name: found[first] for name, first in same.items() if first in found})
    if not hasattr(module, "state_dict"):
        raise TypeError(f"a {type(module).__name__}, and not a module of PyTorch")
    own = module.state_dict()
    with torch.no_grad():
        for tensor in own.values():
            # Whatever the file does not give would be seen in the answers.
            tensor.fill_(float("nan") if tensor.is_floating_point() else 0)
    module.load_state_dict(found, strict=True)
