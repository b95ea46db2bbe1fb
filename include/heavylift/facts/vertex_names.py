"""Vertex AI's names of accelerators."""

from __future__ import annotations

from heavylift.facts.accelerators import base_of

VERTEX_NAMES = {
    "T4": "NVIDIA_TESLA_T4",
    "V100": "NVIDIA_TESLA_V100",
    "P4": "NVIDIA_TESLA_P4",
    "P100": "NVIDIA_TESLA_P100",
    "L4": "NVIDIA_L4",
    "A100": "NVIDIA_TESLA_A100",
    "A100-40GB": "NVIDIA_TESLA_A100",
    "A100-80GB": "NVIDIA_A100_80GB",
    "H100": "NVIDIA_H100_80GB",
    "H200": "NVIDIA_H200_141GB",
    "B200": "NVIDIA_B200",
}
_MODELS = {vertex: model for model, vertex in reversed(VERTEX_NAMES.items())}


def vertex_name(model: str) -> str:
    """Return Vertex AI's name of a model of accelerator."""
    return VERTEX_NAMES.get(model) or VERTEX_NAMES.get(base_of(model), model)


def vertex_knows(model: str) -> bool:
    """Return whether Vertex AI has a name for a model of accelerator."""
    return model in VERTEX_NAMES or base_of(model) in VERTEX_NAMES


def model_named(text: str) -> str:
    """Return the model that Vertex AI or Kubernetes means by a name."""
    if text in _MODELS:
        return _MODELS[text]
    return text if "/" not in text else ""
