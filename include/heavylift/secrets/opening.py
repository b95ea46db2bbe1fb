"""Which stores of secrets a platform has, and how they are opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.secrets.requests import SecretsRequest

if TYPE_CHECKING:
    from heavylift.platforms.secrets import SecretStore

_ADAPTERS = {
    "secrets_manager": ("heavylift.platforms.aws.secrets", "SecretsManagerStore"),
    "parameter_store": ("heavylift.platforms.aws.parameters", "ParameterStore"),
    "secret_manager": ("heavylift.platforms.gcp.secrets", "GoogleSecretStore"),
    "key_vault": ("heavylift.platforms.azure.secrets", "KeyVaultStore"),
    "kubernetes": ("heavylift.platforms.kubernetes.secrets", "KubernetesSecretStore"),
}
_STORES = {"gcp": "secret_manager", "azure": "key_vault", "kubernetes": "kubernetes"}


def source_stores(request: SecretsRequest) -> tuple[str, ...]:
    """Return the stores that are read."""
    platform = request.platforms[0]
    if platform == "aws":
        return tuple(dict.fromkeys(each.value for each in request.wanted.stores))
    return (_STORES[platform],)


def target_store(request: SecretsRequest) -> str:
    """Return the store that is written to."""
    return _STORES.get(request.platforms[1], request.wanted.target_store.value)


@asynccontextmanager
async def open_stores(connection: Connection, names: Sequence[str]) -> AsyncIterator[dict[str, SecretStore]]:
    """Open stores by their names, and close them at the end of the block.

    :raises ConnectionConfigError: the connection lacks a field.
    """
    async with AsyncExitStack() as stack:
        found: dict[str, SecretStore] = {}
        for name in names:
            module, adapter = _ADAPTERS[name]
            store: SecretStore = getattr(import_module(module), adapter)(connection)
            stack.push_async_callback(store.close)
            found[name] = store
        yield found
