"""Locations: the URLs under which users name a place in an object store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from heavylift.errors import SpecError

SCHEMES = {"s3": "aws", "gs": "gcp", "az": "azure", "file": "kubernetes"}
"""URL scheme → platform it belongs to."""
REGISTERED = "models:/"
"""Begins the name of a model in a registry."""
_NAMED = re.compile(r"models:/(?P<name>[^/:@\s][^/:@]*)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+))\Z")


@dataclass(frozen=True, order=True)
class Location:
    """A container (bucket, or a root folder for ``file``) and a key prefix inside it.

    A non-empty prefix always ends in ``/``: it names a folder, as users mean it, so that
    ``s3://b/train`` never takes in ``train-old/``.
    """

    scheme: str
    container: str
    prefix: str = ""

    def __str__(self) -> str:
        separator = "" if self.scheme == "file" and not self.prefix else "/"
        return f"{self.scheme}://{self.container}{separator}{self.prefix}"

    def url_of(self, key: str) -> str:
        """Return the URL of one object, for messages and evidence."""
        return f"{self.scheme}://{self.container}/{key}"


def parse_location(url: str) -> Location:
    """Parse ``s3://``, ``gs://``, ``az://`` or ``file://`` URLs.

    :raises SpecError: unknown scheme or no container.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise SpecError(
            f"reading the URL {url!r}",
            got=f"scheme {scheme!r}" if separator else "no scheme",
            expected=", ".join(f"{name}://" for name in SCHEMES),
            state="nothing was touched",
            remedy="write the URL as scheme://container/prefix, and a folder as file:///path",
            code="2310",
        )
    if scheme == "file":
        path = unquote(urlsplit(url).path)
        if not path.startswith("/") or urlsplit(url).netloc:
            raise _no_container(url, "file:///absolute/path")
        return Location("file", path.rstrip("/") or "/")
    container, _, prefix = rest.partition("/")
    if not container:
        raise _no_container(url, f"{scheme}://container/prefix")
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    return Location(scheme, container, prefix)


def _no_container(url: str, expected: str) -> SpecError:
    return SpecError(
        f"reading the URL {url!r}",
        got="no container",
        expected=expected,
        state="nothing was touched",
        remedy="name the bucket, container or absolute folder",
        code="2311",
    )


def is_registered(text: str) -> bool:
    """Tell whether a text names a model by its registry."""
    return text.startswith("models:")


def parse_registered(text: str) -> tuple[str, str, str]:
    """Return name, version and alias of ``models:/name/version`` or ``models:/name@alias``.

    :raises SpecError: it is neither.
    """
    match = _NAMED.match(text)
    if match is None or (match["version"] or "").startswith("m-"):
        raise SpecError(
            f"reading the model {text!r}",
            got="no name with a version or an alias",
            expected="models:/name/version or models:/name@alias",
            state="nothing was touched",
            remedy="write the registered model's name, and its version's number or an alias of it",
            code="7801",
        )
    return match["name"], match["version"] or "", match["alias"] or ""
