"""What every wave on Google Cloud stands on: network, key, identity, and what private services need."""

from __future__ import annotations

from heavylift.infra.template import Name, Nest, Own, Piece, Service, Setting, Text, Var

_MEMBER = "google_kms_crypto_key_iam_member"
AGENTS = (
    "gs-project-accounts",
    "gcp-sa-artifactregistry",
    "gcp-sa-cloud-sql",
    "gcp-sa-pubsub",
    "gcp-sa-aiplatform",
    "compute-system",
    "container-engine-robot",
    "gcp-sa-secretmanager",
)
"""Google's own identities that use the key for what is stored."""


def _agent(name: str) -> Piece:
    member = Text("serviceAccount:service-", Var("project_number"), f"@{name}.iam.gserviceaccount.com")
    body = {
        "crypto_key_id": Own("key"),
        "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "member": member,
    }
    return Piece(_MEMBER, body, name)


def _subnet(role: str) -> Piece:
    body = {
        "name": Text(Name("dns"), f"-{role}"),
        "region": Var("region"),
        "network": Own("network"),
        "ip_cidr_range": Setting(f"cidr_{role}"),
        "private_ip_google_access": True,
        "log_config": Nest({"aggregation_interval": "INTERVAL_10_MIN", "flow_sampling": 0.5}),
    }
    return Piece("google_compute_subnetwork", body, role)


BASE = Service(
    (
        Piece(
            "google_compute_network",
            {
                "name": Name("dns"),
                "auto_create_subnetworks": False,
                "routing_mode": "REGIONAL",
            },
            "network",
        ),
        _subnet("a"),
        _subnet("b"),
        Piece(
            "google_compute_global_address",
            {
                "name": Name("dns"),
                "purpose": "VPC_PEERING",
                "address_type": "INTERNAL",
                "prefix_length": 16,
                "network": Own("network"),
            },
            "services",
        ),
        Piece(
            "google_service_networking_connection",
            {
                "network": Own("network"),
                "service": "servicenetworking.googleapis.com",
                "reserved_peering_ranges": [Own("services", "name")],
            },
            "peering",
        ),
        Piece("google_kms_key_ring", {"name": Name("free"), "location": Var("region")}, "ring"),
        Piece(
            "google_kms_crypto_key",
            {"name": Name("free"), "key_ring": Own("ring"), "rotation_period": "7776000s", "labels": Var("labels")},
            "key",
        ),
        Piece(
            "google_service_account",
            {"account_id": Name("short"), "display_name": "Workload of the migration"},
            "identity",
        ),
        *(_agent(name) for name in AGENTS),
    )
)  # fmt: skip
OUTPUTS = {
    "network_id": ("network", "id"),
    "network_name": ("network", "name"),
    "subnet_id": ("a", "id"),
    "key_id": ("key", "id"),
    "key_ring_id": ("ring", "id"),
    "identity_email": ("identity", "email"),
    "identity_id": ("identity", "id"),
    "peering": ("peering", "network"),
}
