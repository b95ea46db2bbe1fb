"""Azure's names: which actions are on data, scopes, and the parts of reading blobs."""

from __future__ import annotations

from heavylift.access.azure_conditions import BLOBS
from heavylift.access.model import Place
from heavylift.access.table import Kind

READ, LIST = f"{BLOBS}/read#read", f"{BLOBS}/read#list"
"""Reading a blob and listing blobs are one action, told apart by its suboperation ``Blob.List``."""
PARTS = {READ: "Blob.Read", LIST: "Blob.List"}
_ON_DATA = (
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/",
    "Microsoft.KeyVault/vaults/secrets/getSecret/",
    "Microsoft.KeyVault/vaults/secrets/setSecret/",
    "Microsoft.KeyVault/vaults/keys/",
    "Microsoft.EventHub/namespaces/messages/",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/",
    "Microsoft.CognitiveServices/accounts/OpenAI/",
    "Microsoft.Insights/DataCollectionRules/Data/",
    "Microsoft.Insights/Metrics/Write",
)


def on_data(action: str) -> bool:
    """Tell whether a permission is one of ``dataActions``."""
    return action.startswith(_ON_DATA)


def action_of(permission: str) -> str:
    """Return the action of a permission of the table."""
    return permission.partition("#")[0]


def scope_of(kind: Kind, name: str, place: Place) -> str | None:
    """Return the full id of the one resource that a name means, None where nothing is granted on it alone."""
    template = kind.templates["azure"]
    if (
        not template
        or ("{storage}" in template and not place.storage)
        or ("{vault}" in template and not place.vault)
    ):
        return None
    bucket, _, key = name.partition("/")
    return template.format(storage=place.storage, vault=place.vault, bucket=bucket, key=key, name=name)


def above(scope: str, other: str) -> bool:
    """Tell whether ``scope`` is ``other`` or above it; case does not count."""
    one, two = scope.rstrip("/").lower(), other.rstrip("/").lower()
    return one in ("", two) or two.startswith(f"{one}/")
