"""The section for secrets: which move, what they are called on the target, and what is never overwritten."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from heavylift.spec.base import ConnectionId, Pattern, SpecModel, Text


class AwsSecretStore(StrEnum):
    """Products of AWS's that hold secrets."""

    SECRETS_MANAGER = "secrets_manager"
    PARAMETER_STORE = "parameter_store"


class SecretConflict(StrEnum):
    """What is done about another value on the target that Heavylift did not write."""

    FAIL = "fail"
    SKIP = "skip"
    NEW_VERSION = "new_version"


class BinaryValues(StrEnum):
    """What is done about bytes, where the target's store keeps nothing but text."""

    REFUSE = "refuse"
    BASE64 = "base64"


class SecretRename(SpecModel):
    """What secrets are called on the target."""

    strip_prefix: Text = Field(default="", description="Taken away from the beginning of a name.")
    add_prefix: Text = Field(default="", description="Put before it.")
    separator: Text = Field(
        default="-",
        pattern=r"^[-_.]$",
        description="Stands for each run of characters that the target's names cannot have: - or _ or a dot.",
    )
    key: Text = Field(
        default="value", min_length=1, description="On Kubernetes: the key of a Secret that has only one."
    )
    names: dict[str, Text] = Field(
        default={}, description="Names chosen by hand: source name to target name; nothing else is done."
    )


class AirflowSecrets(SpecModel):
    """Connections and variables that an Airflow's secrets backend holds, for an Airflow of the target's.

    Prefixes that are null are the backends' own defaults.
    """

    source_connections_prefix: Text | None = Field(
        default=None, description="connections_prefix of the source's backend."
    )
    source_variables_prefix: Text | None = Field(
        default=None, description="variables_prefix of the source's backend."
    )
    source_sep: Text | None = Field(default=None, description="sep of the source's backend.")
    target_connections_prefix: Text | None = Field(
        default=None, description="connections_prefix of the target's backend."
    )
    target_variables_prefix: Text | None = Field(
        default=None, description="variables_prefix of the target's backend."
    )
    target_sep: Text | None = Field(default=None, description="sep of the target's backend.")
    ids: tuple[Text, ...] = Field(
        default=(),
        description="Ids that have a -: a Key Vault writes _ and - alike, and others are taken to have _.",
    )


class Secrets(SpecModel):
    """Secrets that are copied to the target's store; never into files, state, logs or evidence."""

    source_connection: ConnectionId | None = Field(
        default=None, description="Connection of the source's store; the source's own where null."
    )
    target_connection: ConnectionId | None = Field(
        default=None, description="Connection of the target's store; the target's own where null."
    )
    stores: tuple[AwsSecretStore, ...] = Field(
        default=(AwsSecretStore.SECRETS_MANAGER, AwsSecretStore.PARAMETER_STORE),
        min_length=1,
        description="Where the source is AWS: the products that are read.",
    )
    target_store: AwsSecretStore = Field(
        default=AwsSecretStore.SECRETS_MANAGER, description="Where the target is AWS: the product written to."
    )
    include: tuple[Pattern, ...] = Field(
        default=("**",), description="Names that move, as patterns; * stops at a /, ** does not."
    )
    exclude: tuple[Pattern, ...] = Field(default=(), description="Names that stay.")
    rename: SecretRename = Field(default=SecretRename(), description="What they are called on the target.")
    conflict: SecretConflict = Field(
        default=SecretConflict.FAIL,
        description="Another value on the target that Heavylift did not write: fail, skip or new_version.",
    )
    binary: BinaryValues = Field(
        default=BinaryValues.REFUSE,
        description="Bytes, where the target keeps only text: refuse, or base64.",
    )
    keys: dict[str, Text] = Field(
        default={},
        description="Customer's keys: source key to target key; default stands for the platform's own.",
    )
    target_regions: tuple[Text, ...] = Field(
        default=(), description="On Google Cloud: regions that hold the values; Google chooses where empty."
    )
    airflow: AirflowSecrets | None = Field(
        default=None,
        description="Airflow's connections and variables are renamed as the target's backend wants them.",
    )
