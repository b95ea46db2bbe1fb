"""What SageMaker Feature Store can hold; limits and forms are those of botocore's model of the service."""

from __future__ import annotations

from heavylift.registry.catalogues.capabilities import Pairs, Rule, categories
from heavylift.registry.catalogues.sagemaker_rules import GROUP_PAIRS
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import History

TAGS = GROUP_PAIRS
TYPES = {"String": "string", "Integral": "int64", "Fractional": "float64"}
_RESERVED = frozenset(
    {"is_deleted", "write_time", "api_invocation_time", "year", "month", "day", "hour"}
)  # columns of the offline store's own
_BECOMES = {
    "string": "string",
    "int32": "int64",
    "int64": "int64",
    "float32": "float64",
    "float64": "float64",
    "bool": "int64",
    "timestamp": "string",
}
_PARAMETER = (lambda text: categories(text, "LZN", "_.:/=+-"), "letters, digits, spaces and _ . : / = + -")

CAPABILITIES = FeatureCapabilities(
    platform="sagemaker",
    types=_BECOMES | {f"list<{one}>": f"list<{other}>" for one, other in _BECOMES.items()},
    names=Rule(
        64,
        r"[a-zA-Z0-9]([_-]*[a-zA-Z0-9])*",
        test=(lambda text: text.lower() not in _RESERVED, "names that the offline store has no use for"),
    ),
    most_keys=1,
    key_types=("string", "int64"),
    most_features=2500,
    time_is_feature=True,
    schemes=("s3",),
    tombstones=True,
    history=History(
        "seconds",
        created="write_time",
        deleted="is_deleted",
        stamps=("api_invocation_time",),
        by_hour=True,
    ),
    time_forms=("seconds", "iso8601"),
    own_places=True,
    description=Rule(128),
    feature_description=Rule(255, r"[^\n]*"),
    feature_pairs=Pairs(25, Rule(255, shortest=1, test=_PARAMETER), Rule(255, shortest=1, test=_PARAMETER)),
    owner=False,
    pairs=TAGS,
)
"""Feature groups."""
