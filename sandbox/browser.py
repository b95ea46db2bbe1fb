"""The browser of screenshots and of the tests of pages: the machine's own Chromium, else one from npm."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import node, tools

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKED = ("al2023", "swiftshader", "fonts")
# Unpacks what npm's package holds; its own code wants a newer node than Debian's.
_UNPACK = """
const zlib = require("zlib"), fs = require("fs"), [source, target, ...names] = process.argv.slice(1);
for (const name of names) {
  const data = zlib.brotliDecompressSync(fs.readFileSync(`${source}/${name}`));
  fs.writeFileSync(`${target}/${name.replace(/[.]br$/, "")}`, data);
}
"""
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}</dir><dir>/usr/share/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Browser:
    """A Chromium that can be started.

    :param path: None for the one that Playwright has installed.
    :param env: what its process needs besides this one's environment.
    """

    path: str | None
    env: Mapping[str, str] = field(default_factory=dict)


def find_browser() -> Browser:
    """Return the machine's Chromium, Playwright's, or the pinned one of npm, installing that once.

    :raises ServerUnavailableError: there is none, and the installer failed.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is not None or any(Path.home().glob(".cache/ms-playwright/chromium*")):
        return Browser(found)
    home = node.chromium()
    return unpacked(home)


def unpacked(home: Path) -> Browser:
    """Return npm's Chromium from the folder it was installed to, unpacking it once."""
    place = home / "browser"
    if not (place / ".complete").exists():
        with tools.one_at_a_time("chromium"):
            if not (place / ".complete").exists():
                _unpack(home / "node_modules" / "@sparticuz" / "chromium" / "bin", place)
    env = {
        "LD_LIBRARY_PATH": f"{place / 'lib'}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}",
        "FONTCONFIG_FILE": str(place / "fonts.conf"),
    }
    return Browser(str(place / "chromium"), env)


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a headless Chromium through Playwright and close it at the end of the block.

    :raises ServerUnavailableError: there is no browser, and the installer failed.
    """
    from playwright.sync_api import sync_playwright

    browser = find_browser()
    # Chromium's own sandbox does not work for root, and only our own pages are opened.
    # A language of its own: without one a machine without locales gives it a tag that no script understands.
    flags = ["--lang=en-US", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as driver:
        window = driver.chromium.launch(
            executable_path=browser.path, args=flags, env={**os.environ, **browser.env}
        )
        try:
            yield window
        finally:
            window.close()


def _unpack(source: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    names = ["chromium.br", *(f"{name}.tar.br" for name in _PACKED)]
    tools.install("unpacking Chromium", [node.interpreter(), "-e", _UNPACK, str(source), str(place), *names])
    for name in _PACKED:
        packed = place / f"{name}.tar"
        with tarfile.open(packed) as archive:
            archive.extractall(place, filter="data")
        packed.unlink()
    (place / "fonts.conf").write_text(_FONTS.format(folder=place / "fonts"))
    (place / "chromium").chmod(0o755)
    (place / ".complete").touch()
