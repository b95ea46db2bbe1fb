"""Looks up, by a path in the spec, the model or annotation that stands there."""

from __future__ import annotations

from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from heavylift.spec.problems import FieldPath


def key_names(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys of ``model`` as a spec file writes them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def annotation_at(root: type[BaseModel], path: FieldPath) -> Any:
    """Return the bare annotation of the value at ``path`` within ``root``, or None where there is none."""
    annotation: Any = root
    for part in path:
        annotation = _step(bare(annotation), part)
        if annotation is None:
            return None
    return bare(annotation)


def allowed_words(annotation: Any) -> tuple[str, ...]:
    """Return the words that an enumeration or literal allows; empty for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    return ()


def is_model(annotation: Any) -> bool:
    """Tell whether ``annotation`` is a spec model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _step(annotation: Any, part: str | int) -> Any:
    if is_model(annotation):
        for name, field in annotation.model_fields.items():
            if part in {name, field.alias}:
                return field.annotation
        return None
    if get_origin(annotation) is tuple and isinstance(part, int):
        return get_args(annotation)[0]
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    return None


def bare(annotation: Any) -> Any:
    """Return ``annotation`` without what may stand around it: ``Annotated`` and ``| None``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return bare(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        present = [arg for arg in get_args(annotation) if arg is not type(None)]
        return bare(present[0]) if len(present) == 1 else annotation
    return annotation
