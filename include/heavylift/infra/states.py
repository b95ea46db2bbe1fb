"""Where Terraform's state is kept: a block for each root, made of one URL."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.errors import SpecError
from heavylift.infra.hcl import Block
from heavylift.locations import parse_location

State = Callable[[str], Block]
"""From a root's name to its backend."""


def state_at(url: str, migration: str, *, region: str = "", account: str = "") -> State:
    """Return where the state of each root lies, below ``url``; all lock it, those of platforms encrypt it.

    :param region: of the bucket, for ``s3://``.
    :param account: the storage account, for ``az://``.
    :raises SpecError: no place that Terraform keeps state in, or its account is not known.
    """
    place = parse_location(url)
    below = f"{place.prefix}{migration}"
    if place.scheme == "s3":
        told = {"bucket": place.container, "encrypt": True, "use_lockfile": True}
        where = {"region": region} if region else {}
        return lambda root: Block("backend", ("s3",), {**told, **where, "key": f"{below}/{root}.tfstate"})
    if place.scheme == "gs":
        return lambda root: Block(
            "backend", ("gcs",), {"bucket": place.container, "prefix": f"{below}/{root}"}
        )
    if place.scheme == "az" and account:
        told = {"storage_account_name": account, "container_name": place.container, "use_azuread_auth": True}
        return lambda root: Block("backend", ("azurerm",), {**told, "key": f"{below}/{root}.tfstate"})
    if place.scheme == "file":
        return lambda root: Block(
            "backend", ("local",), {"path": f"{place.container}/{below}/{root}.tfstate"}
        )
    raise SpecError(
        f"reading infrastructure.state {url!r}",
        got="a place without its storage account" if place.scheme == "az" else f"{place.scheme}://",
        expected="s3://, gs://, file://, or az:// with infrastructure.state_connection, whose login is the"
        " account",
        state="nothing was written",
        remedy="correct it, or leave it out: state is then kept in a file in each folder",
        code="7922",
    )
