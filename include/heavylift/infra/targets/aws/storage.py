"""AWS: objects, files, disks, images."""

from __future__ import annotations

from heavylift.infra.template import Base, Each, Item, Name, Nest, Own, Piece, Service, Setting, Text, Var

_CLASSES = {"cool": "STANDARD_IA", "cold": "GLACIER_IR", "archive": "GLACIER"}


def bucket(role: str) -> Piece:
    """Return the bucket itself."""
    return Piece("aws_s3_bucket", {"bucket": Name("bucket"), "force_destroy": False}, role)


def guards(role: str) -> tuple[Piece, ...]:
    """Return what makes a bucket private, encrypted and versioned."""
    of = {"bucket": Own(role)}
    return (
        Piece(
            "aws_s3_bucket_public_access_block",
            {
                **of,
                "block_public_acls": True,
                "block_public_policy": True,
                "ignore_public_acls": True,
                "restrict_public_buckets": True,
            },
            "private",
        ),
        Piece(
            "aws_s3_bucket_server_side_encryption_configuration",
            {
                **of,
                "rule": Nest(
                    {
                        "bucket_key_enabled": True,
                        "apply_server_side_encryption_by_default": Nest(
                            {"sse_algorithm": "aws:kms", "kms_master_key_id": Base("key_arn")}
                        ),
                    }
                ),
            },
            "encrypted",
        ),
        Piece(
            "aws_s3_bucket_versioning",
            {
                **of,
                "versioning_configuration": Nest(
                    {"status": Setting("versioning", "Enabled", {True: "Enabled", False: "Suspended"})}
                ),
            },
            "versioned",
        ),
    )


def lifecycle(of: str, role: str) -> Piece:
    """Return the rules of a bucket; parts of uploads that nobody finishes are always removed."""
    return Piece(
        "aws_s3_bucket_lifecycle_configuration",
        {
            "bucket": Own(of),
            "rule": Each(
                "aws_lifecycle",
                {
                    "id": Item("name", "parts"),
                    "status": "Enabled",
                    "filter": Nest({"prefix": Item("prefix", "")}),
                    "abort_incomplete_multipart_upload": Nest({"days_after_initiation": 7}),
                    "expiration": Each("expirations", {"days": Item("days")}),
                    "transition": Each("transitions", {"days": Item("days"), "storage_class": Item("then", None, _CLASSES)}),
                    "noncurrent_version_expiration": Each("noncurrents", {"noncurrent_days": Item("days")}),
                },
                ({},),
            ),
        },
        role,
    )  # fmt: skip


SERVICES = {
    "object storage": Service((bucket("main"), *guards("main"), lifecycle("main", "rules"))),
    "object lifecycle": Service((lifecycle("bucket", "main"), bucket("bucket"), *guards("bucket"))),
    "shared file system": Service(
        (
            Piece(
                "aws_fsx_lustre_file_system",
                {
                    "subnet_ids": [Base("subnet_a_id")],
                    "security_group_ids": [Base("group_id")],
                    "deployment_type": "PERSISTENT_2",
                    "storage_type": "SSD",
                    "per_unit_storage_throughput": 250,
                    "storage_capacity": Setting("fsx_gb", 1200),
                    "kms_key_id": Base("key_arn"),
                    "copy_tags_to_backups": True,
                    "tags": {"Name": Name("free")},
                },
            ),
        )
    ),
    "block volume": Service(
        (
            Piece(
                "aws_ebs_volume",
                {
                    "availability_zone": Text(Var("region"), "a"),
                    "size": Setting("size_gb", 100),
                    "type": "gp3",
                    "encrypted": True,
                    "kms_key_id": Base("key_arn"),
                    "tags": {"Name": Name("free")},
                },
            ),
        )
    ),
    "container registry": Service(
        (
            Piece(
                "aws_ecr_repository",
                {
                    "name": Name("dns"),
                    "image_tag_mutability": "IMMUTABLE",
                    "encryption_configuration": Nest({"encryption_type": "KMS", "kms_key": Base("key_arn")}),
                    "image_scanning_configuration": Nest({"scan_on_push": True}),
                },
            ),
        )
    ),
}
