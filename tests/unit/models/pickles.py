"""Pickles and archives made byte by byte: the wicked ones are never loaded by anybody."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict


class Calls:
    """Pickles as a call of ``what``, which it names only."""

    def __init__(self, module: str, name: str, *arguments: str) -> None:
        self.parts = (module, name, arguments)


def calling(module: str, name: str, *arguments: str, protocol: int = 4) -> bytes:
    """Return a pickle that calls ``module.name`` with texts."""
    if protocol == 0:
        told = "".join(f"S{each!r}\n" for each in arguments)
        return f"c{module}\n{name}\n({told}tR.".encode()
    texts = b"".join(_text(each) for each in arguments)
    if protocol < 4:
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + texts + b"tR."
    return b"\x80\x04" + _text(module) + _text(name) + b"\x93(" + texts + b"tR."


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


SYSTEM = calling("posix", "system", "true")

WICKED: dict[str, bytes] = {
    "os.system, protocol 4": SYSTEM,
    "os.system, protocol 2": calling("os", "system", "true", protocol=2),
    "os.system, protocol 0": calling("os", "system", "true", protocol=0),
    "exec": calling("builtins", "exec", "pass"),
    "eval": calling("__builtin__", "eval", "1", protocol=2),
    "runpy": calling("runpy", "_run_code", "pass"),
    "subprocess": calling("subprocess", "Popen", "true"),
    "getattr": calling("builtins", "getattr", "x", "y"),
    "importlib": calling("importlib", "import_module", "os"),
    "numpy's runner of texts": calling("numpy.testing._private.utils", "runstring", "pass"),
    "a way through attributes": calling("numpy", "f2py.os.system", "true"),
    "numpy's importer": calling("numpy.core", "_ufunc_reconstruct", "os", "system"),
    "torch.hub": calling("torch.hub", "load", "x"),
    "pickle in a pickle": calling("pickle", "loads", "x"),
    "the old way of instances": b"(S'true'\nios\nsystem\n.",
    "an object of the stack": b"\x80\x02(cos\nsystem\nX\x04\x00\x00\x00trueo.",
    "an extension number": b"\x80\x02\x82\x07X\x04\x00\x00\x00true\x85R.",
    "acts, then is broken": SYSTEM[:-1] + b"\xff\xff",
    "acts as text, then is broken": calling("os", "system", "true", protocol=0)[:-1] + b"!!",
    "a name from the memo": (
        b"\x80\x04" + b"X\x05\x00\x00\x00posix" + b"\x94" + b"0" + b"X\x06\x00\x00\x00system" + b"\x940"
        + b"h\x00h\x01\x93" + b"X\x04\x00\x00\x00true\x85R."
    ),
    "behind a harmless one": pickle.dumps({"a": 1}) + SYSTEM,
    "behind a class of a library": (
        b"\x80\x02csklearn.linear_model\nRidge\n0cos\nsystem\nX\x01\x00\x00\x00x\x85R."
    ),
    "attributes of what is imported": (
        b"\x80\x02csklearn.linear_model\nRidge\n}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb."
    ),
}  # fmt: skip
"""What each would do to its loader → the pickle."""

HARMLESS: dict[str, bytes] = {
    "values": pickle.dumps({"a": [1, 2.5, "x", None, (1, 2)], "b": {1, 2}}),
    "an ordered dict": pickle.dumps(OrderedDict(a=1)),
    "protocol 0": pickle.dumps([1, "a"], protocol=2),
}


def zipped(**members: bytes) -> bytes:
    """Return a zip archive; ``__`` in a name stands for ``/``."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return made.getvalue()


def skops(*types: tuple[str, str]) -> bytes:
    """Return a skops file that makes objects of ``types``."""
    nodes = [{"__class__": name, "__module__": module, "__loader__": "ObjectNode"} for module, name in types]
    schema = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": nodes}
    return zipped(schema_dot_json=json.dumps(schema).encode())
