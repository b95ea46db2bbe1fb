"""Reads the programs that torch.export keeps (``.pt2``), without PyTorch, and tells what they would do.

Such a file is a zip archive with raw tensors, and a graph as JSON. It looks like data, and its loader acts on
it all the same: it walks from ``torch`` to whatever a node names, hands expressions to sympy, which
evaluates them as Python, and compiles guards and the names of inputs into code. So all of them are read
by lists of what is allowed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MARK = "archive_format"
"""The member that tells an archive of this kind; before PyTorch 2.8 it was the graph's own name."""
_OLD_GRAPH = "serialized_exported_program.json"
_CONFIG = re.compile(r"(?:.*/)?data/(?:weights|constants)/[^/]+_config\.json\Z")
_RAW = re.compile(r"(?:weight|tensor)_\d+\Z")
_OPERATORS = re.compile(
    r"torch\.ops\.aten\.(?!from_file\b|save\b)\w+(?:\.\w+)?"
    r"|torch\.ops\.(?:prims|higher_order|_c10d_functional|quantized_decomposed)(?:\.\w+){1,2}"
    r"|_operator\.(?:getitem|add|sub|mul|truediv|floordiv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|torch\.(?:sym_\w+|_sym_\w+|sym_float|sym_int)|math\.(?:trunc|ceil|floor|sqrt)"
)
_OTHER_OPERATORS = re.compile(r"torch\.ops\.(?!aten\.)\w+(?:\.\w+){1,2}")
_NAME = re.compile(r"[\w.]*\Z")
_NAMED = frozenset({"name", "as_name", "arg_name"})
_FUNCTIONS = frozenset(
    {
        "FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt",
        "CeilDiv", "LShift", "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv",
        "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "Max", "Min",
        "Abs", "max", "min", "abs", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Symbol",
        "Integer", "Float", "Rational", "Add", "Mul", "Pow", "StrictLessThan", "StrictGreaterThan",
        "LessThan", "GreaterThan", "Equality", "Unequality", "size", "stride", "storage_offset", "dim",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset({"size", "stride", "storage_offset", "dim", "shape"})
_NODES = (
    ast.Expression, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Constant, ast.Name, ast.Subscript,
    ast.Call, ast.Attribute, ast.keyword, ast.Load, ast.operator, ast.boolop, ast.unaryop, ast.cmpop,
)  # fmt: skip
_PLAIN = re.compile(r"[\w ().,+\-*/%<>=!&|~'\"\[\]:]{0,10000}\Z", re.ASCII)
"""What an expression is written with: no other sign, such as the end of a line, may be read in two ways."""


def is_exported(names: set[str]) -> bool:
    """Tell whether an archive's members are those of an exported program."""
    last = {name.rpartition("/")[2] for name in names}
    return MARK in last or _OLD_GRAPH in last


def raw_tensors(configs: Mapping[str, bytes]) -> set[str]:
    """Return the members that are read as raw tensors; whatever else there is may be unpickled.

    :param configs: the archive's members that are JSON, by name.
    """
    raw: set[str] = set()
    pickled: set[str] = set()
    for name, content in configs.items():
        entries = _config(content) if _CONFIG.match(name) else {}
        for entry in entries.values():
            path = entry.get("path_name") if isinstance(entry, dict) else None
            if not isinstance(path, str):
                continue
            member = f"{name.rpartition('/')[0]}/{path}"
            plain = entry.get("use_pickle") is False and _RAW.match(path)
            (raw if plain else pickled).add(member)
    return raw - pickled


def _config(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)["config"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def graph_problems(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield rule and detail of whatever a graph would have its loader do beyond computing."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        yield "unscanned-file", "its graph is no JSON"
        return
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            yield from _mapping_problems(value)
            waiting += value.items()
        elif isinstance(value, list):
            waiting += ((key, each) for each in value)
        elif isinstance(value, str):
            yield from _text_problems(key, value)


def _mapping_problems(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"):
        inner = found.get(name)
        for each in inner if isinstance(inner, dict) else ():
            yield from _text_problems("name", each)
    ranges = found.get("range_constraints")
    for each in ranges if isinstance(ranges, dict) else ():
        yield from _expression_problems("symbol", each)
    if found.get("custom_obj_values"):
        yield "unscanned-file", "its graph has objects of classes that are not known"


def _text_problems(key: str, text: str) -> Iterator[tuple[str, str]]:
    if key in {"target", "as_operator"}:
        yield from _operator_problems(text)
    elif key in _NAMED:
        if not _NAME.match(text):
            yield "malicious-code", f"its graph has a name that is none: {text[:60]!r}"
    elif key == "expr_str":
        yield from _expression_problems("expression", text)
    elif key == "guards_code":
        yield from _expression_problems("guard", text)
    elif key in {"in_spec", "out_spec", "forward_arg_names"} and "__enum__" in text:
        yield "malicious-code", "its graph imports a module by its name"


def _operator_problems(text: str) -> Iterator[tuple[str, str]]:
    if _OPERATORS.fullmatch(text) or not text.startswith(("torch", "_operator", "math", "#")):
        return  # what begins with none of these is the name of an input, which the loader leaves a text
    if _OTHER_OPERATORS.fullmatch(text):
        yield "custom-operators", f"it needs the operator {text[:100]}"
    else:
        yield "malicious-code", f"its graph calls {text[:100]!r}, which is no operator"


def _expression_problems(what: str, text: str) -> Iterator[tuple[str, str]]:
    shown = f"its graph has a {what} that does more than compute, or cannot be read: {text[:60]!r}"
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval"))) if _PLAIN.match(text) else []
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        nodes = []
    if any(_calls(node) for node in nodes):
        yield "malicious-code", shown
    elif not nodes or not all(_computes(node) for node in nodes):
        yield "unscanned-file", shown


def _calls(node: ast.AST) -> bool:
    """Tell whether a part of an expression reaches for what it may not."""
    if isinstance(node, ast.Call):
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        return name not in _FUNCTIONS
    if isinstance(node, ast.Attribute):
        return node.attr not in _ATTRIBUTES
    return isinstance(node, ast.Name) and "__" in node.id


def _computes(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str) or bool(_NAME.match(node.value))
    return isinstance(node, _NODES)
