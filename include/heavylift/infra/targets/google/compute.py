"""Google Cloud: clusters, machines, functions, workflows."""

from __future__ import annotations

from heavylift.infra.template import (
    Ask,
    Base,
    Each,
    Item,
    Name,
    Nest,
    Own,
    Piece,
    Service,
    Setting,
    Text,
    Var,
)

_SHIELDED = Nest({"enable_secure_boot": True, "enable_integrity_monitoring": True})
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_CLUSTER = {
    "name": Name("dns"),
    "location": Var("region"),
    "network": Base("network_id"),
    "subnetwork": Base("subnet_id"),
    "remove_default_node_pool": True,
    "initial_node_count": 1,
    "deletion_protection": Var("protect"),
    "enable_intranode_visibility": True,
    "resource_labels": Var("labels"),
    "release_channel": Nest({"channel": "REGULAR"}),
    "ip_allocation_policy": Nest(),
    "network_policy": Nest({"enabled": True}),
    "binary_authorization": Nest({"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"}),
    "master_auth": Nest({"client_certificate_config": Nest({"issue_client_certificate": False})}),
    "master_authorized_networks_config": Nest(),
    "private_cluster_config": Nest(
        {"enable_private_nodes": True, "enable_private_endpoint": True, "master_ipv4_cidr_block": "172.16.0.0/28"}
    ),
    "workload_identity_config": Nest({"workload_pool": Text(Var("project"), ".svc.id.goog")}),
    "database_encryption": Nest({"state": "ENCRYPTED", "key_name": Base("key_id")}),
    "node_config": Nest({"service_account": Base("identity_email"), "oauth_scopes": _SCOPES, "shielded_instance_config": _SHIELDED}),
}  # fmt: skip
_POOL = {
    "name": Name("dns"),
    "cluster": Own("cluster"),
    "autoscaling": Nest({"min_node_count": Setting("least", 0), "max_node_count": Setting("most", 2)}),
    "management": Nest({"auto_repair": True, "auto_upgrade": True}),
    "node_config": Nest(
        {
            "machine_type": Setting("target_instance", "n2-standard-8"),
            "service_account": Base("identity_email"),
            "oauth_scopes": _SCOPES,
            "resource_labels": Var("labels"),
            "guest_accelerator": Each("accelerators", {"type": Item("type"), "count": Item("count")}),
            "gvnic": Nest({"enabled": True}),
            "shielded_instance_config": _SHIELDED,
            "workload_metadata_config": Nest({"mode": "GKE_METADATA"}),
        }
    ),
}
SERVICES = {
    "Kubernetes": Service((Piece("google_container_cluster", _CLUSTER),)),
    "Kubernetes GPU node pool": Service(
        (
            Piece("google_container_node_pool", {**_POOL, "cluster": Setting("cluster", Ask("cluster", "id of the cluster that the pool belongs to"))}),
        )
    ),
    "workload identity": Service(
        (
            Piece(
                "google_service_account_iam_member",
                {
                    "service_account_id": Base("identity_id"),
                    "role": "roles/iam.workloadIdentityUser",
                    "member": Text(
                        "serviceAccount:",
                        Var("project"),
                        ".svc.id.goog[",
                        Setting("namespace", "default"),
                        "/",
                        Setting("service_account", "default"),
                        "]",
                    ),
                },
            ),
        )
    ),
    "virtual machine": Service(
        (
            Piece(
                "google_compute_instance",
                {
                    "name": Name("dns"),
                    "zone": Text(Var("region"), "-b"),
                    "machine_type": Setting("target_instance", "n2-standard-4"),
                    "labels": Var("labels"),
                    "metadata": {"block-project-ssh-keys": "true", "enable-oslogin": "true"},
                    "boot_disk": Nest(
                        {
                            "kms_key_self_link": Base("key_id"),
                            "initialize_params": Nest(
                                {"image": Setting("image", "debian-cloud/debian-13"), "size": Setting("size_gb", 50)}
                            ),
                        }
                    ),
                    "network_interface": Nest({"subnetwork": Base("subnet_id")}),
                    "service_account": Nest({"email": Base("identity_email"), "scopes": _SCOPES}),
                    "shielded_instance_config": Nest(
                        {"enable_secure_boot": True, "enable_integrity_monitoring": True, "enable_vtpm": True}
                    ),
                },
            ),
        ),
        ("The disk's content moves as files, not as an image.",),
    ),
    "functions": Service(
        (
            Piece(
                "google_cloudfunctions2_function",
                {
                    "name": Name("dns"),
                    "location": Var("region"),
                    "kms_key_name": Base("key_id"),
                    "labels": Var("labels"),
                    "build_config": Nest(
                        {
                            "runtime": Setting("runtime", "python312"),
                            "entry_point": Setting("entry_point", "main"),
                            "source": Nest(
                                {
                                    "storage_source": Nest(
                                        {
                                            "bucket": Ask("code_bucket", "bucket of the function's code"),
                                            "object": Ask("code_object", "object with the function's code, a zip file"),
                                        }
                                    )
                                }
                            ),
                        }
                    ),
                    "service_config": Nest(
                        {
                            "available_memory": Setting("memory_mb", "512M", form="{}M"),
                            "timeout_seconds": Setting("timeout_seconds", 60),
                            "ingress_settings": "ALLOW_INTERNAL_ONLY",
                            "service_account_email": Base("identity_email"),
                        }
                    ),
                },
            ),
        ),
        ("The handler's signature differs: the code has to be adapted.",),
    ),
    "workflow": Service(
        (
            Piece(
                "google_workflows_workflow",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "service_account": Base("identity_email"),
                    "crypto_key_name": Base("key_id"),
                    "deletion_protection": Var("protect"),
                    "labels": Var("labels"),
                    "source_contents": "main:\n  steps:\n    - untranslated:\n        raise: the definition is translated by the pipelines' part\n",
                },
            ),
        ),
        ("A shell: its definition fails loudly until the translated one takes its place.",),
    ),
    "managed Airflow": Service(
        (
            Piece(
                "google_composer_environment",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "labels": Var("labels"),
                    "config": Nest(
                        {
                            "environment_size": "ENVIRONMENT_SIZE_SMALL",
                            "enable_private_environment": True,
                            "encryption_config": Nest({"kms_key_name": Base("key_id")}),
                            "node_config": Nest(
                                {
                                    "network": Base("network_id"),
                                    "subnetwork": Base("subnet_id"),
                                    "service_account": Base("identity_email"),
                                }
                            ),
                            "software_config": Nest({"image_version": "composer-3-airflow-2"}),
                        }
                    ),
                },
            ),
        )
    ),
    "scheduler": Service(
        (
            Piece(
                "google_cloud_scheduler_job",
                {
                    "name": Name("free"),
                    "region": Var("region"),
                    "schedule": Setting("cron", "0 * * * *"),
                    "time_zone": Setting("time_zone", "Etc/UTC"),
                    "paused": True,
                    "pubsub_target": Nest({"topic_name": Own("topic"), "data": "e30="}),
                },
            ),
            Piece(
                "google_pubsub_topic",
                {"name": Name("free"), "kms_key_name": Base("key_id"), "labels": Var("labels")},
                "topic",
            ),
        ),
        ("Paused, and sends to a topic of its own: what it starts is connected at the cutover.",),
    ),
    "serverless inference": Service(
        (
            Piece(
                "google_cloud_run_v2_service",
                {
                    "name": Name("dns"),
                    "location": Var("region"),
                    "deletion_protection": Var("protect"),
                    "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
                    "labels": Var("labels"),
                    "template": Nest(
                        {
                            "service_account": Base("identity_email"),
                            "encryption_key": Base("key_id"),
                            "scaling": Nest({"min_instance_count": Setting("least", 0), "max_instance_count": Setting("most", 5)}),
                            "containers": Nest({"image": Ask("image", "the serving image, by digest")}),
                        }
                    ),
                },
            ),
        )
    ),
}  # fmt: skip
