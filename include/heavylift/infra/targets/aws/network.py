"""AWS: networks, lines, names."""

from __future__ import annotations

from heavylift.infra.template import Ask, Base, Item, Name, Nest, Own, Piece, Service, Setting, Text, Var

SERVICES = {
    "network": Service(
        (
            Piece(
                "aws_vpc",
                {
                    "cidr_block": Setting("cidr", "10.80.0.0/16"),
                    "enable_dns_support": True,
                    "enable_dns_hostnames": True,
                    "tags": {"Name": Name("free")},
                },
            ),
            Piece("aws_default_security_group", {"vpc_id": Own("main")}, "shut"),
        )
    ),
    "subnet": Service(
        (
            Piece(
                "aws_subnet",
                {
                    "vpc_id": Base("network_id"),
                    "cidr_block": Setting("cidr", "10.64.64.0/20"),
                    "map_public_ip_on_launch": False,
                    "tags": {"Name": Name("free")},
                },
            ),
        )
    ),
    "firewall": Service(
        (
            Piece(
                "aws_security_group",
                {"name": Name("free"), "description": "Translated from the source", "vpc_id": Base("network_id")},
            ),
            Piece(
                "aws_vpc_security_group_ingress_rule",
                {
                    "security_group_id": Own("main"),
                    "description": "Translated from the source",
                    "cidr_ipv4": Item("range"),
                    "ip_protocol": Item("protocol"),
                    "from_port": Item("low"),
                    "to_port": Item("high"),
                },
                "rule",
                each="rules",
            ),
        ),
        ("Rules that name other groups are not translated: add them by hand.",),
        needs="rules",
    ),
    "private connectivity": Service(
        (
            Piece(
                "aws_vpc_endpoint",
                {
                    "vpc_id": Base("network_id"),
                    "vpc_endpoint_type": "Interface",
                    "service_name": Text("com.amazonaws.", Var("region"), ".", Setting("service", "sagemaker.runtime")),
                    "subnet_ids": [Base("subnet_a_id"), Base("subnet_b_id")],
                    "security_group_ids": [Base("group_id")],
                    "private_dns_enabled": True,
                    "tags": {"Name": Name("free")},
                },
            ),
        )
    ),
    "dedicated line": Service(
        (
            Piece(
                "aws_dx_connection",
                {
                    "name": Name("free"),
                    "bandwidth": Setting("bandwidth", "1Gbps"),
                    "location": Ask("place", "the Direct Connect location"),
                },
            ),
        )
    ),
    "site VPN": Service(
        (
            Piece(
                "aws_vpn_connection",
                {
                    "customer_gateway_id": Own("peer"),
                    "vpn_gateway_id": Own("gateway"),
                    "type": "ipsec.1",
                    "preshared_key_storage": "SecretsManager",
                    "tags": {"Name": Name("free")},
                },
            ),
            Piece(
                "aws_customer_gateway",
                {"bgp_asn": Setting("asn", "65000", form="{}"), "ip_address": Ask("peer", "the peer's public address"), "type": "ipsec.1"},
                "peer",
            ),
            Piece("aws_vpn_gateway", {"vpc_id": Base("network_id"), "tags": {"Name": Name("free")}}, "gateway"),
        )
    ),
    "DNS cutover": Service(
        (
            Piece(
                "aws_route53_record",
                {
                    "zone_id": Own("zone", "zone_id"),
                    "name": Name("dns"),
                    "type": Setting("record_type", "CNAME"),
                    "ttl": Setting("ttl", 60),
                    "records": Ask("values", "the records' values", many=True),
                    "set_identifier": "target",
                    "weighted_routing_policy": Nest({"weight": 0}),
                },
            ),
            Piece(
                "aws_route53_zone",
                {"name": Ask("domain", "the zone's domain"), "vpc": Nest({"vpc_id": Base("network_id")})},
                "zone",
            ),
        ),
        ("Weight 0: the cutover moves the traffic.",),
    ),
}  # fmt: skip
