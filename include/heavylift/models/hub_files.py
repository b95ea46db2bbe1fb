"""Reads what loaders of the Hugging Face libraries would import: it is told in JSON, beside the weights.

MLflow loads models of transformers and sentence-transformers with their own code allowed, so that a
name in a file is enough.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from heavylift.models.looking import leads_out
from heavylift.models.templates import template_problems

_MOST_NODES = 5_000_000
_MOST = 200
_CODE = ("auto_map", "custom_pipelines", "trust_remote_code")
_SENTENCES = re.compile(r"sentence_transformers(?:\.\w+)+\Z", re.ASCII)
_LIBRARIES = frozenset({"diffusers", "transformers", "peft"})
_ACTIVATIONS = re.compile(r"activation_(?:fn|function)\Z")
_OF_TORCH = re.compile(r"torch\.nn\.(?:modules\.\w+\.)?[A-Z]\w*\Z", re.ASCII)
_KERNELS = re.compile(r"_?attn_implementation(?:_internal)?\Z")
_SPARK = re.compile(r"org\.apache\.spark\.ml(?:\.\w+)+\Z", re.ASCII)
_SPARK_FILES = re.compile(r"(?:.*/)?metadata/part-\d+[^/]*\Z")
_BOOSTER = re.compile(r'\s*\{\s*"(?:learner|version|Config)"')
_PIPELINES = re.compile(r"stable_diffusion\w*\Z", re.ASCII)
_TEMPLATE_FILES = re.compile(r"(?:.*/)?[^/]+\.jinja2?\Z", re.IGNORECASE)
Problem = tuple[str, str]


def hub_problems(name: str, text: str) -> Iterator[Problem]:
    """Yield rule and detail of what a text would have such a loader import, or read elsewhere.

    :param name: the file's path in the model.
    """
    if _TEMPLATE_FILES.match(name):
        yield from template_problems(text)
        return
    if text.lstrip("\ufeff \t\r\n")[:1] not in {"{", "["}:
        return
    try:
        # Python refuses endless numbers since its version 3.11, and older ones take them.
        document = json.loads(text.removeprefix("\ufeff"), parse_int=float)
    except RecursionError:
        yield "unscanned-file", "values of it lie too deep in each other"
        return
    except ValueError:
        # Whoever wants JSON will not take it either, but for XGBoost, whose reader is its own.
        if _BOOSTER.match(text):
            yield "unscanned-file", "it begins as a model of XGBoost does, and is no JSON"
        return
    yield from _anywhere(document)
    yield from _by_name(name, document)


def _by_name(name: str, document: Any) -> Iterator[Problem]:
    """Yield what is wrong with a file that a library looks for by its name."""
    file = posixpath.basename(name)
    if file == "modules.json" and isinstance(document, list):
        yield from _modules(document)
    elif file == "router_config.json" and isinstance(document, dict):
        types = document.get("types")
        yield from _modules([{"type": each} for each in types.values()] if isinstance(types, dict) else [])
    elif file == "model_index.json" and isinstance(document, dict):
        yield from _parts(document)
    elif _SPARK_FILES.match(name) and isinstance(document, dict):
        told = document.get("class")
        if not isinstance(told, str) or not _SPARK.match(told):
            yield "custom-code", f"its class {str(told)[:_MOST]!r} is none of Spark's own"


def _anywhere(document: Any) -> Iterator[Problem]:
    waiting, seen = [document], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MOST_NODES:
            yield "unscanned-file", f"it has more than {_MOST_NODES} values"
            return
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            yield from _told(value)


def _told(found: dict[str, Any]) -> Iterator[Problem]:
    for key in _CODE:
        # Words of a vocabulary may be called so, and stand for numbers.
        told = found.get(key)
        if told and (told is True or isinstance(told, (str, list, dict))):
            shown = json.dumps(told)[:_MOST]
            yield "custom-code", f"its {key} is {shown}: a loader imports code of its own or from elsewhere"
    yield from _called(found)
    shards = found.get("weight_map")
    for each in set(map(str, shards.values())) if isinstance(shards, dict) else ():
        if leads_out(each):
            yield "path-outside", f"its weight_map names {each[:_MOST]!r}"
    mapped = found.get("auto_mapping")
    library = mapped.get("parent_library") if isinstance(mapped, dict) else None
    if library is not None and str(library).partition(".")[0] not in _LIBRARIES:
        yield "custom-code", f"its auto_mapping imports {str(library)[:_MOST]!r}"
    yield from _templates(found.get("chat_template"))


def _called(found: dict[str, Any]) -> Iterator[Problem]:
    """Yield functions that are imported by a path, and kernels of attention that come from elsewhere."""
    for key, value in found.items():
        if not isinstance(value, str):
            continue
        if _ACTIVATIONS.search(key) and "." in value and not _OF_TORCH.match(value):
            yield "custom-code", f"its {key} is {value[:_MOST]!r}, which is none of PyTorch's"
        elif _KERNELS.match(key) and "/" in value:
            yield "custom-code", f"its {key} is fetched from {value[:_MOST]!r}"


def _templates(told: Any) -> Iterator[Problem]:
    """Yield what is wrong with templates: one, several by name, or a list of both."""
    if isinstance(told, list):
        told = [each.get("template") if isinstance(each, dict) else None for each in told]
    elif isinstance(told, dict):
        told = list(told.values())
    for text in told if isinstance(told, list) else [told]:
        if isinstance(text, str):
            yield from template_problems(text)


def _modules(listed: list[Any]) -> Iterator[Problem]:
    """Yield what sentence-transformers would import for the modules of a model."""
    for module in listed:
        if not isinstance(module, dict):
            continue
        kind, path = module.get("type"), module.get("path", "")
        if not isinstance(kind, str) or not _SENTENCES.match(kind):
            yield "custom-code", f"its module {str(kind)[:_MOST]!r} is none of sentence-transformers' own"
        if isinstance(path, str) and leads_out(path):
            yield "path-outside", f"its module {str(kind)[:_MOST]!r} lies in {path[:_MOST]!r}"


def _parts(index: dict[str, Any]) -> Iterator[Problem]:
    """Yield what diffusers would import for the parts of a pipeline."""
    for part, told in index.items():
        if not isinstance(told, list) or len(told) != 2:
            continue
        library = told[0]
        known = library is None or library in _LIBRARIES
        # A name alone is one of diffusers' own pipelines.
        own = (
            isinstance(library, str) and library.startswith("stable_diffusion") and _PIPELINES.match(library)
        )
        if not known and not own:
            yield "custom-code", f"its part {part[:60]!r} is imported from {str(library)[:_MOST]!r}"
