"""Judges the configuration of a model of Keras: all classes and functions that its loader would look up.

The configuration is JSON, and a program of names: the loader makes an object of each class that it names, and
older ones import any module for that. So names are held against a list of Keras' own that only compute
(``data/keras_names.txt``).
"""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from heavylift.models.known_globals import Standing, standing_of
from heavylift.models.looking import Look, Trust
from heavylift.models.opcodes import Global

_MOST_NODES = 2_000_000
_MODULES = re.compile(r"(?:keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(?:\.\w+)*\Z", re.ASCII)
_PLAIN = frozenset(
    {
        "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__", "__keras_tensor__",
        "TensorShape",
    }
)  # fmt: skip
"""What stands for values, and looks nothing up."""
_ACTS = frozenset(
    {
        "Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "ModuleWrapper",
        "TensorFlowOpLayer", "AddLoss", "AddMetric",
    }
)  # fmt: skip
"""What is made of code, of pickles, or of files elsewhere."""
_CODE_KEYS = frozenset({"function_type", "mask_type", "output_shape_type"})
_FILE_KEYS = re.compile(r"(?:vocabulary|initial_vocabulary|\w*(?:file|path|filename|filepath|url))\Z")
_WORD_KEYS = re.compile(r"(?:\w+_)?(?:activation|initializer|regularizer|constraint)\Z")
_TENSORFLOW = re.compile(
    r"(?:compat\.v1\.)?(?:(?:__operators__|math|nn|linalg|signal|bitwise|strings|image|random)\.\w+"
    r"|keras\.activations\.\w+|reduce_\w+|(?:zeros|ones)(?:_like)?|arg(?:max|min|sort)|a?(?:sin|cos|tan)h?"
    r"|clip_by_(?:value|norm)|cast|reshape|concat|expand_dims|squeeze|stack|unstack|split|transpose|tile"
    r"|gather(?:_nd)?|where|shape|rank|size|matmul|einsum|tensordot|identity|one_hot|pad|range|fill|slice"
    r"|strided_slice|reverse|roll|sort|abs|add|subtract|multiply|divide|maximum|minimum|pow|sqrt|exp|square"
    r"|round|sign|sigmoid|cumsum|equal|not_equal|greater|greater_equal|less|less_equal|logical_\w+|negative"
    r"|repeat|boolean_mask|broadcast_to|scatter_nd|searchsorted|sequence_mask|stop_gradient|norm|eye|add_n)\Z",
    re.ASCII,
)
"""Functions of TensorFlow that only compute, as layers name them."""
_OF_TENSORFLOW = frozenset({"TFOpLambda", "SlicingOpLambda"})


@cache
def _known(kind: str) -> frozenset[str]:
    lines = files("heavylift.models").joinpath("data", "keras_names.txt").read_text("utf-8").splitlines()
    pairs = (line.split(" ", 1) for line in lines)
    return frozenset(name for found, name in pairs if found == kind)


def judge_config(look: Look, content: bytes, trust: Trust, where: str, *, demanded: bool) -> None:
    """Note what a configuration would have its loader look up.

    :param demanded: it must be one; other texts may be anything.
    """
    try:
        document = json.loads(content, parse_int=float)
    except (ValueError, RecursionError) as error:
        if demanded or isinstance(error, RecursionError):
            look.understood = False
            look.add("unscanned-file", f"{where} is no JSON that can be read")
        return
    for rule, detail in dict.fromkeys(_problems(document, trust)):
        look.understood &= rule != "unscanned-file"
        look.add(rule, f"{where}: {detail}")


def _problems(document: Any, trust: Trust) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, Any]] = [("", document)]
    seen = 0
    while waiting:
        key, value = waiting.pop()
        seen += 1
        if seen > _MOST_NODES:
            yield "unscanned-file", f"it has more than {_MOST_NODES} values"
            return
        if isinstance(value, dict):
            if "class_name" in value:
                yield from _named(value, trust)
            for code in sorted(_CODE_KEYS & value.keys()):
                yield "malicious-code", f"it has {code!r}, as a Lambda layer does, which is code"
            waiting += [(str(name), each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [("", each) for each in value]
        elif isinstance(value, str):
            yield from _told(key, value, trust)


def _named(node: dict[str, Any], trust: Trust) -> Iterator[tuple[str, str]]:
    name, module = node["class_name"], node.get("module")
    registered = node.get("registered_name")
    if not all(each is None or isinstance(each, str) for each in (name, module, registered)) or not name:
        yield "unscanned-file", f"it names a class by what is no text: {str(name)[:60]!r}"
        return
    if name in _ACTS:
        yield "malicious-code", f"it has a layer {name}, which is made of code or of files elsewhere"
        return
    if name in _OF_TENSORFLOW:
        yield from _operator(node)
        return
    if name == "function":
        yield from _function(node, module, trust)
        return
    plain = name.removeprefix("Custom>")
    own = plain in _known("class") and registered in {None, name, plain, f"Custom>{plain}"}
    if (own or name in _PLAIN) and (not module or _MODULES.match(module)):
        return
    yield from _judge(module or "", registered or name, trust)


def _function(node: dict[str, Any], module: str | None, trust: Trust) -> Iterator[tuple[str, str]]:
    name = node.get("config")
    if not isinstance(name, str):
        yield "unscanned-file", "it names a function by what is no text"
    elif module == "builtins" and hasattr(builtins, name):
        yield "malicious-code", f"it has its loader look up builtins.{name}"
    elif name not in _known("function") or (module and module != "builtins" and not _MODULES.match(module)):
        # What was a function of the script that saved it is told as one of Python's own.
        yield from _judge("" if module in {None, "builtins"} else module, name, trust)


def _operator(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    config = node.get("config")
    function = config.get("function") if isinstance(config, dict) else None
    if not isinstance(function, str) or not _TENSORFLOW.match(function):
        yield "unscanned-file", f"it calls {str(function)[:100]!r} of TensorFlow, which is not known"


def _told(key: str, value: str, trust: Trust) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a text by the key that it is under."""
    if _FILE_KEYS.match(key):
        yield "path-outside", f"its {key} is read from {value[:200]!r}"
    elif _WORD_KEYS.match(key):
        kinds = ("word", "function", "class")
        if value.removeprefix("Custom>") not in frozenset().union(*map(_known, kinds)):
            yield from _judge("", value, trust)


def _judge(module: str, name: str, trust: Trust) -> Iterator[tuple[str, str]]:
    """Yield a finding of a name that is none of those that are known."""
    full = f"{module}.{name}" if module else name
    # Whatever runs in Python's own modules, and in Keras' own that load and fetch, runs here as well.
    acts = module and standing_of(Global(module, name.replace(".", "_"))) is Standing.ACTS
    if acts or re.search(r"\.(?:utils|saving|config|src\.saving|src\.utils)(?:\.|\Z)", module):
        yield "malicious-code", f"it has its loader look up {full[:200]}"
    elif full not in trust.globals:
        yield "unknown-global", f"it needs {full[:200]}, which is none of Keras' own that are known"
