"""Google Cloud: networks, lines, names."""

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

SERVICES = {
    "network": Service(
        (
            Piece(
                "google_compute_network",
                {"name": Name("dns"), "auto_create_subnetworks": False, "routing_mode": "REGIONAL"},
            ),
            Piece(
                "google_compute_subnetwork",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "network": Own("main"),
                    "ip_cidr_range": Setting("cidr", "10.64.0.0/20"),
                    "private_ip_google_access": True,
                    "log_config": Nest({"aggregation_interval": "INTERVAL_10_MIN", "flow_sampling": 0.5}),
                },
                "subnet",
            ),
        )
    ),
    "subnet": Service(
        (
            Piece(
                "google_compute_subnetwork",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "network": Base("network_id"),
                    "ip_cidr_range": Setting("cidr", "10.64.16.0/20"),
                    "private_ip_google_access": True,
                    "log_config": Nest({"aggregation_interval": "INTERVAL_10_MIN", "flow_sampling": 0.5}),
                },
            ),
        )
    ),
    "firewall": Service(
        (
            Piece(
                "google_compute_firewall",
                {
                    "name": Name("dns"),
                    "network": Base("network_id"),
                    "direction": "INGRESS",
                    "source_ranges": Setting("ranges"),
                    "target_service_accounts": [Base("identity_email")],
                    "allow": Each("ports", {"protocol": Item("protocol"), "ports": Item("ports")}),
                    "log_config": Nest({"metadata": "INCLUDE_ALL_METADATA"}),
                },
            ),
        ),
        (
            "Security groups bind to machines; here the rules bind to the workload's identity.",
            "Rules that name other groups are not translated: add them by hand.",
        ),
        needs="rules",
    ),
    "private connectivity": Service(
        (
            Piece(
                "google_compute_forwarding_rule",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "network": Base("network_id"),
                    "ip_address": Own("address"),
                    "target": Ask("attachment", "the service attachment to connect to, projects/…/serviceAttachments/…"),
                    "load_balancing_scheme": "",
                    "labels": Var("labels"),
                },
            ),
            Piece(
                "google_compute_address",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "address_type": "INTERNAL",
                    "subnetwork": Base("subnet_id"),
                },
                "address",
            ),
        )
    ),
    "dedicated line": Service(
        (
            Piece(
                "google_compute_interconnect_attachment",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "type": "PARTNER",
                    "router": Own("router"),
                    "edge_availability_domain": "AVAILABILITY_DOMAIN_1",
                },
            ),
            Piece(
                "google_compute_router",
                {
                    "name": Name("dns"),
                    "region": Var("region"),
                    "network": Base("network_id"),
                    "bgp": Nest({"asn": Setting("asn", 16550)}),
                },
                "router",
            ),
        ),
        ("The provider of the line needs the pairing key of the attachment.",),
    ),
    "site VPN": Service(
        (
            Piece(
                "google_compute_ha_vpn_gateway",
                {"name": Name("dns"), "region": Var("region"), "network": Base("network_id")},
            ),
        ),
        ("Tunnels need the peer's address and a shared secret: made by hand, or by the other side's tool.",),
    ),
    "DNS cutover": Service(
        (
            Piece(
                "google_dns_record_set",
                {
                    "name": Text(Name("dns"), ".", Ask("domain", "the zone's domain, with its last dot")),
                    "managed_zone": Own("zone", "name"),
                    "type": Setting("record_type", "CNAME"),
                    "ttl": Setting("ttl", 60),
                    "rrdatas": Ask("values", "the records' values", many=True),
                },
            ),
            Piece(
                "google_dns_managed_zone",
                {
                    "name": Name("dns"),
                    "dns_name": Ask("domain", "the zone's domain, with its last dot"),
                    "labels": Var("labels"),
                    "dnssec_config": Nest({"state": "on"}),
                },
                "zone",
            ),
        )
    ),
}  # fmt: skip
