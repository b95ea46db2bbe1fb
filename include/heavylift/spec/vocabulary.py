"""The fixed words of a migration spec."""

from __future__ import annotations

from enum import StrEnum


class Platform(StrEnum):
    """Where a workload runs; ``kubernetes`` also stands for on-premises."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    KUBERNETES = "kubernetes"


SCHEMES: dict[Platform, tuple[str, ...]] = {
    Platform.AWS: ("s3", "file"),
    Platform.GCP: ("gs", "file"),
    Platform.AZURE: ("az", "file"),
    Platform.KUBERNETES: ("file", "s3"),
}
"""Platform → URL schemes of its stores; ``file`` is a mounted volume, on-premises S3 is common."""


class System(StrEnum):
    """What an inventory is taken of: the platforms of a spec, and single servers beside them."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    KUBERNETES = "kubernetes"
    MLFLOW = "mlflow"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    KAFKA = "kafka"
    FILES = "files"
    OBJECTS = "objects"


class Phase(StrEnum):
    """One step of a migration; each is one Airflow DAG, ``<migration>.<phase>``."""

    ASSESS = "assess"
    PROVISION = "provision"
    APPLIANCE = "appliance"
    TRANSFER = "transfer"
    SYNC = "sync"
    REGISTRY = "registry"
    REVALIDATE = "revalidate"
    CUTOVER = "cutover"
    ROLLBACK = "rollback"
    DECOMMISSION = "decommission"
    OPTIMIZE = "optimize"
    MONITOR = "monitor"


class Occasion(StrEnum):
    """What people are told of."""

    FAILURE = "failure"
    APPROVAL = "approval"
    DEADLINE = "deadline"
    SUCCESS = "success"


class OnConflict(StrEnum):
    """What to do where the target already holds a different object under the same key."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"


class PosixFact(StrEnum):
    """What a file is besides its bytes."""

    TIME = "time"
    MODE = "mode"
    OWNER = "owner"


class OnUnholdableKey(StrEnum):
    """What to do with a key that the target store cannot hold."""

    FAIL = "fail"
    SKIP = "skip"


class Deletes(StrEnum):
    """What a sync does on the target when an object has gone from the source."""

    KEEP = "keep"
    PROPAGATE = "propagate"
    QUARANTINE = "quarantine"


class Conflicts(StrEnum):
    """Which of two changes to one object stays in a two-way sync."""

    STOP = "stop"
    SOURCE_WINS = "source-wins"
    TARGET_WINS = "target-wins"
    NEWER_WINS = "newer-wins"
    KEEP_BOTH = "keep-both"


class Via(StrEnum):
    """Who moves a dataset's objects."""

    HEAVYLIFT = "heavylift"
    STORAGE_TRANSFER_SERVICE = "storage-transfer-service"
    DATASYNC = "datasync"
    AZCOPY = "azcopy"


class ClassPolicy(StrEnum):
    """The storage class in which objects arrive."""

    DEFAULT = "default"
    KEEP = "keep"


class VerifyMode(StrEnum):
    """How much of what was moved is verified."""

    FULL = "full"
    SAMPLE = "sample"


class VerifyMethod(StrEnum):
    """Where the target's checksum comes from."""

    PROVIDER = "provider"
    READ_BACK = "read_back"


class TableFormat(StrEnum):
    """File formats of tabular data that expectations can be run on."""

    PARQUET = "parquet"
    CSV = "csv"


class CompareColumns(StrEnum):
    """How the columns of the two sides are compared."""

    PROFILE = "profile"
    NONE = "none"


class Check(StrEnum):
    """One check of a gate."""

    COUNTS_EQUAL = "counts_equal"
    CHECKSUMS_EQUAL = "checksums_equal"
    NO_FINDINGS = "no_findings"
    EXPECTATIONS_PASS = "expectations_pass"  # noqa: S105  (a check, no password)
    PROFILES_EQUAL = "profiles_equal"
    TABLES_EQUAL = "tables_equal"
    REPLICATION_CAUGHT_UP = "replication_caught_up"
    REGISTRIES_EQUAL = "registries_equal"
    FEATURES_EQUAL = "features_equal"
    MODELS_COMPATIBLE = "models_compatible"
    MODELS_AGREE = "models_agree"
    INVENTORY_COMPLETE = "inventory_complete"
    REFERENCES_EXPLAINED = "references_explained"
    BLOCKERS_ACCEPTED = "blockers_accepted"
    DEADLINE_KEPT = "deadline_kept"
    BASELINES_MEASURED = "baselines_measured"
    EVERYTHING_CARRIED = "everything_carried"
    PLAN_APPROVED = "plan_approved"
    COMPLIANCE_CLEAN = "compliance_clean"
    INFRA_SCANNED = "infra_scanned"
    INFRA_PLANNED = "infra_planned"
    CUTOVER_READY = "cutover_ready"
    SECRETS_EQUAL = "secrets_equal"
    PIPELINES_TRANSLATED = "pipelines_translated"
    PIPELINES_VALID = "pipelines_valid"
    ACCESS_TRANSLATED = "access_translated"
    ACCESS_NOT_WIDENED = "access_not_widened"
    ACCESS_MATRIX_EQUAL = "access_matrix_equal"
    MANIFESTS_TRANSLATED = "manifests_translated"
    MANIFESTS_VALID = "manifests_valid"
    VOLUMES_MOVED = "volumes_moved"
    TRAINING_TRANSLATED = "training_translated"
    TRAINING_VALID = "training_valid"
    AUTOSCALING_TRANSLATED = "autoscaling_translated"
    AUTOSCALING_SAFE = "autoscaling_safe"
    ALERTS_TRANSLATED = "alerts_translated"
    ALERTS_EQUAL = "alerts_equal"
    IMAGES_EQUAL = "images_equal"
    ENDPOINTS_PLANNED = "endpoints_planned"
    ENDPOINTS_SERVING = "endpoints_serving"
    ENDPOINTS_REMOVAL_PLANNED = "endpoints_removal_planned"
    ENVELOPES_VERIFIED = "envelopes_verified"
    CHANGES_PROPOSED = "changes_proposed"
    SOURCE_UNUSED = "source_unused"
    GRACE_OVER = "grace_over"
    WORKLOAD_TESTS_PASSED = "workload_tests_passed"
