"""Writes the weights of a model of PyTorch as safetensors; loaded by ``converter.py``, which lies beside it.

Tensors that are one in memory are written once, and the file's metadata tell their other names, as the
safetensors package does it itself.
"""

from __future__ import annotations

import hashlib
from typing import Any

_HOLDERS = ("state_dict", "model_state_dict", "model", "module")
_KINDS = {"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16",
          "torch.int64": "I64", "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8",
          "torch.uint8": "U8", "torch.uint16": "U16", "torch.uint32": "U32", "torch.uint64": "U64",
          "torch.bool": "BOOL", "torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2"}  # fmt: skip


def write(model: Any, path: str) -> dict[str, Any]:
    """Write the weights; tell what of them no file of tensors can hold."""
    from safetensors.torch import save_file

    found, of = _state(model)
    missing = sorted(name for name, value in found.items() if not _plain(value))
    if missing or not found:
        return {"missing": [f"{name} ({_kind(found[name])})" for name in missing] or ["any tensor"], "of": of}
    kept: dict[str, Any] = {}
    same: dict[str, str] = {}
    first: dict[Any, str] = {}
    for name, tensor in found.items():
        place = _place(tensor)
        if place in first:
            same[name] = first[place]
        else:
            first[place] = name
            kept[name] = tensor.detach().clone().contiguous()
    save_file(kept, path, metadata={"format": "pt", **same})
    return {"missing": [], "of": of}


def digests(model: Any) -> list[list[Any]]:
    """Return name, kind, shape and SHA-256 of each tensor that a model holds."""
    found, _of = _state(model)
    return [
        [name, _KINDS[str(tensor.dtype)], list(tensor.shape), _digest(tensor)]
        for name, tensor in found.items()
    ]


def _state(model: Any) -> tuple[dict[str, Any], str]:
    """Return the named tensors of a model, and what it is."""
    held = getattr(model, "held", None)
    if held is None:
        raw = getattr(model, "raw", None)
        raw = model.model.get_raw_model() if raw is None else raw
        if not hasattr(raw, "state_dict"):
            raise TypeError(f"a {type(raw).__name__}, and not a module of PyTorch")
        return dict(raw.state_dict()), type(raw).__name__
    if not isinstance(held, dict):
        raise TypeError(f"a {type(held).__name__}, and no weights by their names")
    for name in _HOLDERS:
        # A checkpoint holds more than the weights: an optimiser's state, numbers of steps.
        inner = held.get(name)
        if isinstance(inner, dict) and inner and all(_is_tensor(each) for each in inner.values()):
            return dict(inner), f"the weights in {name} of a checkpoint"
    return dict(held), "weights"


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _plain(value: Any) -> bool:
    """Tell whether a value is a tensor whose bytes are its numbers."""
    import torch

    if not _is_tensor(value) or str(value.dtype) not in _KINDS:
        return False
    return value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"


def _kind(value: Any) -> str:
    return f"{value.layout} {value.dtype}" if _is_tensor(value) else type(value).__name__


def _place(tensor: Any) -> Any:
    """Return what is the same for tensors that are one in memory."""
    if not tensor.numel():
        return id(tensor)
    return (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))


def _digest(tensor: Any) -> str:
    import torch

    plain = tensor.detach().contiguous().reshape(-1)
    content = plain.view(torch.uint8).numpy() if plain.numel() else b""
    return hashlib.sha256(content).hexdigest()
