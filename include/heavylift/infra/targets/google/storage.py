"""Google Cloud: objects, files, disks, images."""

from __future__ import annotations

from heavylift.infra.template import Base, Each, Item, Name, Nest, Piece, Service, Setting, Text, Var

_CLASSES = {"cool": "NEARLINE", "cold": "COLDLINE", "archive": "ARCHIVE"}
_BUCKET = Service(
    (
        Piece(
            "google_storage_bucket",
            {
                "name": Name("bucket"),
                "location": Var("region"),
                "labels": Var("labels"),
                "uniform_bucket_level_access": True,
                "public_access_prevention": "enforced",
                "versioning": Nest({"enabled": Setting("versioning", True)}),
                "encryption": Nest({"default_kms_key_name": Base("key_id")}),
                "lifecycle_rule": Each(
                    "lifecycle",
                    {
                        "action": Nest(
                            {
                                "type": Item("then", "Delete", {"delete": "Delete", **dict.fromkeys(_CLASSES, "SetStorageClass")}),
                                "storage_class": Item("then", None, _CLASSES),
                            }
                        ),
                        "condition": Nest(
                            {"age": Item("days"), "days_since_noncurrent_time": Item("noncurrent_days"), "matches_prefix": Item("prefixes")}
                        ),
                    },
                ),
            },
        ),
    )
)  # fmt: skip
SERVICES = {
    "object storage": _BUCKET,
    "object lifecycle": _BUCKET,
    "shared file system": Service(
        (
            Piece(
                "google_filestore_instance",
                {
                    "name": Name("dns"),
                    "location": Var("region"),
                    "tier": "REGIONAL",
                    "kms_key_name": Base("key_id"),
                    "labels": Var("labels"),
                    "file_shares": Nest({"name": "share", "capacity_gb": Setting("filestore_gb", 1024)}),
                    "networks": Nest({"network": Base("network_name"), "modes": ["MODE_IPV4"]}),
                },
            ),
        )
    ),
    "block volume": Service(
        (
            Piece(
                "google_compute_disk",
                {
                    "name": Name("dns"),
                    "zone": Text(Var("region"), "-b"),
                    "type": "pd-balanced",
                    "size": Setting("size_gb", 100),
                    "labels": Var("labels"),
                    "disk_encryption_key": Nest({"kms_key_self_link": Base("key_id")}),
                },
            ),
        )
    ),
    "container registry": Service(
        (
            Piece(
                "google_artifact_registry_repository",
                {
                    "repository_id": Name("dns"),
                    "location": Var("region"),
                    "format": "DOCKER",
                    "kms_key_name": Base("key_id"),
                    "labels": Var("labels"),
                    "docker_config": Nest({"immutable_tags": Setting("immutable_tags", False)}),
                },
            ),
        )
    ),
}
