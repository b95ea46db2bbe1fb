"""Reads the programs of TorchScript without PyTorch: that they compute, and do nothing else.

Their text looks like Python and is none: PyTorch compiles it by a language of its own, which imports nothing
and opens nothing. What reaches the machine are a few operators, told here by their names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

PROGRAM = re.compile(r"(?:[^/]+/)?code/(?:[^/]+/)*[^/]+\.py\Z")
"""Members of an archive that are its program."""
CONSTANTS = re.compile(r"(?:[^/]+/)?constants\.pkl\Z")
MOST_TEXT = 8 * 2**20
_ACTS = re.compile(
    r"(?:_?from_file|save|load|rpc_\w+|PythonOp|IgnoredPythonOp|import_\w+|dlopen|load_library|system|exec"
    r"|eval|open|__import__)\Z"
)
_ACTS_IN_TEXT = re.compile(
    r"(?<!\w)(?:from_file|save|rpc_\w+|PythonOp|IgnoredPythonOp|load_library)(?=\s*\()|\^(?=\s*\w)"
)
_SPACES = frozenset({"aten", "prim", "quantized", "_quantized", "prepacked", "mkldnn_prepacked", "sparse"})
_CLASSES = frozenset({"quantized", "sparse", "xnnpack", "rnn"})
_FORMS = (
    ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AnnAssign,
    ast.AugAssign,
    ast.Return, ast.If, ast.For, ast.While, ast.Pass, ast.Break, ast.Continue, ast.Expr, ast.Raise,
    ast.Assert, ast.Delete,
    ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.Call, ast.Constant, ast.Name,
    ast.Subscript, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Slice, ast.Starred, ast.keyword,
    ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.With, ast.withitem,
)  # fmt: skip
Problem = tuple[str, str]


def script_problems(content: bytes) -> Iterator[Problem]:
    """Yield rule and detail of what a program does beyond computing, or why it was not understood."""
    if len(content) > MOST_TEXT:
        yield "unscanned-file", f"a program of more than {MOST_TEXT} bytes"
        return
    try:
        text = content.decode("ascii")
        # What one reader takes for the end of a line, another may take for nothing.
        tree = None if re.search(r"[\r\f\v\0\\]\s*\n|[\r\f\v\0]", text) else ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        tree = None
    for found in dict.fromkeys(each[0] for each in _ACTS_IN_TEXT.finditer(content.decode("latin-1"))):
        yield "malicious-code", f"a program calls {found!r}, which acts on the machine"
    if tree is None:
        yield "unscanned-file", "a program that cannot be read"
        return
    yield from dict.fromkeys(each for node in ast.walk(tree) for each in _node_problems(node))


def _node_problems(node: ast.AST) -> Iterator[Problem]:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if _ACTS.match(name):
            yield "malicious-code", f"a program calls {name!r}, which acts on the machine"
    if isinstance(node, ast.Attribute):
        yield from _path_problems(_path(node))
    elif not isinstance(node, _FORMS):
        yield "unscanned-file", f"a program with {type(node).__name__}, which is not known"


def _path(node: ast.expr) -> list[str]:
    """Return the names of a path such as ``ops.prim.data``; nothing where it does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *names[::-1]] if isinstance(node, ast.Name) else []


def _path_problems(path: list[str]) -> Iterator[Problem]:
    if len(path) >= 3 and path[0] == "ops" and path[1] not in _SPACES:
        yield "custom-operators", f"it needs the operator {'.'.join(path)[:100]}"
    if path[:3] == ["__torch__", "torch", "classes"] and len(path) > 3 and path[3] not in _CLASSES:
        yield "custom-operators", f"it needs the class {'.'.join(path)[:100]}"
