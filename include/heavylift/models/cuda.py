"""NVIDIA's compatibility rules, as data: which driver and which processor a CUDA version needs.

From NVIDIA's CUDA compatibility guide: machine code runs on processors of its own major compute capability
and at least its minor one; intermediate code runs on later ones; each major version has a lowest driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

LOWEST_DRIVER: Mapping[int, int] = MappingProxyType({11: 450, 12: 525, 13: 580})
"""Major version of CUDA → lowest driver (Linux)."""

LOWEST_CAPABILITY: Mapping[int, tuple[int, int]] = MappingProxyType({11: (3, 5), 12: (5, 0), 13: (7, 5)})
"""Major version of CUDA → lowest compute capability that its libraries are built for."""

_IN_VERSION = re.compile(r"\+cu(\d{2})\d\b")
_IN_NAME = re.compile(r"(?:^|-)(?:cuda|cu)(1[0-9])x?\b")
_ANY = re.compile(r"^(?:onnxruntime-gpu|tensorflow\[and-cuda\]|tensorrt|flash-attn|bitsandbytes|vllm|cupy)\b")


def cuda_major(requirements: Iterable[str]) -> int | None:
    """Return the major version of CUDA that packages are built for; 0 for some, None for none."""
    found: list[int] = []
    for line in requirements:
        text = line.lower()
        for pattern in (_IN_VERSION, _IN_NAME):
            match = pattern.search(text)
            if match:
                found.append(int(match[1]))
        if _ANY.match(text):
            found.append(0)
    return max(found, default=None)


_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?==(\d+)\.")


def cuda_of_lock(lock: Iterable[str]) -> int | None:
    """Return the major version of CUDA whose runtime a solution holds; None where it holds none.

    What a model asks for may be ``torch==2.13.0`` alone, and the index's wheel of it bring CUDA 13.
    """
    found = [int(match[1]) for line in lock if (match := _RUNTIME.match(line.lower()))]
    found += [int(match[1]) for line in lock if (match := _IN_VERSION.search(line.lower()))]
    return max(found, default=None)


def capability(text: str) -> tuple[int, int]:
    """Return a compute capability such as ``8.0`` as numbers."""
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def driver_major(text: str) -> int:
    """Return the first number of a driver's version such as ``535.104.05``."""
    return int(text.split(".")[0])


def machine_code_runs(built_for: str, runs_on: str) -> bool:
    """Tell whether machine code for one compute capability runs on another."""
    built, there = capability(built_for), capability(runs_on)
    return built[0] == there[0] and there[1] >= built[1]
