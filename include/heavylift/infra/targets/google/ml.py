"""Google Cloud: shells for models, notebooks, vectors, training."""

from __future__ import annotations

from heavylift.infra.template import Base, Each, Item, Name, Nest, Piece, Service, Setting, Text, Var

_KEY = Nest({"kms_key_name": Base("key_id")})
_ENDPOINT = Service(
    (
        Piece(
            "google_vertex_ai_endpoint",
            {
                "name": Name("dns"),
                "display_name": Name("free"),
                "location": Var("region"),
                "labels": Var("labels"),
                "encryption_spec": _KEY,
            },
        ),
    ),
    ("A shell: models are uploaded and deployed through the API, for which Terraform has no resource.",),
)
SERVICES = {
    "real-time endpoint": _ENDPOINT,
    "endpoint variants / traffic split": _ENDPOINT,
    "experiment tracking": Service(
        (
            Piece(
                "google_vertex_ai_tensorboard",
                {"display_name": Name("free"), "region": Var("region"), "labels": Var("labels"), "encryption_spec": _KEY},
            ),
        )
    ),
    "notebooks": Service(
        (
            Piece(
                "google_workbench_instance",
                {
                    "name": Name("dns"),
                    "location": Text(Var("region"), "-b"),
                    "labels": Var("labels"),
                    "gce_setup": Nest(
                        {
                            "machine_type": Setting("target_instance", "n2-standard-4"),
                            "disable_public_ip": True,
                            "metadata": {"terraform": "true"},
                            "boot_disk": Nest({"disk_encryption": "CMEK", "kms_key": Base("key_id")}),
                            "data_disks": Nest(
                                {"disk_encryption": "CMEK", "kms_key": Base("key_id"), "disk_size_gb": Setting("size_gb", "100", form="{}")}
                            ),
                            "network_interfaces": Nest({"network": Base("network_id"), "subnet": Base("subnet_id")}),
                            "service_accounts": Nest({"email": Base("identity_email")}),
                            "shielded_instance_config": Nest(
                                {"enable_secure_boot": True, "enable_integrity_monitoring": True, "enable_vtpm": True}
                            ),
                        }
                    ),
                },
            ),
        )
    ),
    "training cluster": Service(
        (
            Piece(
                "google_vertex_ai_persistent_resource",
                {
                    "name": Name("dns"),
                    "display_name": Name("free"),
                    "location": Var("region"),
                    "labels": Var("labels"),
                    "encryption_spec": _KEY,
                    "resource_pools": Each(
                        "pools",
                        {
                            "replica_count": Item("count", "1", form="{}"),
                            "machine_spec": Nest(
                                {
                                    "machine_type": Item("type", "n2-standard-8"),
                                    "accelerator_type": Item("accelerator"),
                                    "accelerator_count": Item("accelerators"),
                                }
                            ),
                        },
                        ({"count": 1},),
                    ),
                },
            ),
        )
    ),
    "RAG knowledge base": Service(
        (
            Piece(
                "google_vertex_ai_rag_corpus",
                {"display_name": Name("free"), "region": Var("region"), "encryption_spec": _KEY},
            ),
        ),
        ("Vectors of another embedding model cannot be used: documents are embedded anew.",),
    ),
    "vector index": Service(
        (
            Piece(
                "google_vertex_ai_index",
                {
                    "display_name": Name("free"),
                    "region": Var("region"),
                    "labels": Var("labels"),
                    "index_update_method": "STREAM_UPDATE",
                    "encryption_spec": _KEY,
                    "metadata": Nest(
                        {
                            "config": Nest(
                                {
                                    "dimensions": Setting("dimensions", 768),
                                    "approximate_neighbors_count": 150,
                                    "algorithm_config": Nest({"tree_ah_config": Nest({"leaf_node_embedding_count": 500})}),
                                }
                            )
                        }
                    ),
                },
            ),
        )
    ),
}  # fmt: skip
