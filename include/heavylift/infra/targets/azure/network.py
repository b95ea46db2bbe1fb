"""Azure: networks, lines, names."""

from __future__ import annotations

from heavylift.infra.targets.azure.common import GROUP, PLACE
from heavylift.infra.template import Ask, Base, Item, Name, Nest, Own, Piece, Service, Setting

SERVICES = {
    "network": Service(
        (
            Piece(
                "azurerm_virtual_network",
                {**PLACE, "name": Name("free"), "address_space": [Setting("cidr", "10.80.0.0/16")]},
            ),
        )
    ),
    "subnet": Service(
        (
            Piece(
                "azurerm_subnet",
                {
                    "name": Name("free"),
                    "resource_group_name": Base("resource_group_name"),
                    "virtual_network_name": Base("network_name"),
                    "address_prefixes": [Setting("cidr", "10.64.64.0/20")],
                },
            ),
        )
    ),
    "firewall": Service(
        (
            Piece("azurerm_network_security_group", {**PLACE, "name": Name("free")}),
            Piece(
                "azurerm_network_security_rule",
                {
                    "name": Item("priority", form="rule-{}"),
                    "resource_group_name": Base("resource_group_name"),
                    "network_security_group_name": Own("main", "name"),
                    "priority": Item("priority"),
                    "direction": "Inbound",
                    "access": "Allow",
                    "protocol": Item("protocol", "Tcp", {"tcp": "Tcp", "udp": "Udp"}),
                    "source_port_range": "*",
                    "destination_port_range": Item("text"),
                    "source_address_prefix": Item("range"),
                    "destination_address_prefix": "*",
                },
                "rule",
                each="rules",
            ),
        ),
        (
            "A security group of Azure binds to a subnet or an interface: attach it where its machines lie.",
            "Rules that name other groups are not translated: add them by hand.",
        ),
        needs="rules",
    ),
    "private connectivity": Service(
        (
            Piece(
                "azurerm_private_endpoint",
                {
                    **PLACE,
                    "name": Name("free"),
                    "subnet_id": Base("subnet_b_id"),
                    "private_service_connection": Nest(
                        {
                            "name": Name("free"),
                            "is_manual_connection": False,
                            "private_connection_resource_id": Base("storage_account_id"),
                            "subresource_names": ["blob"],
                        }
                    ),
                },
            ),
        ),
        ("Connects to the foundation's storage account: name another resource in an override file.",),
    ),
    "dedicated line": Service(
        (
            Piece(
                "azurerm_express_route_circuit",
                {
                    **PLACE,
                    "name": Name("free"),
                    "service_provider_name": Ask("provider", "name of the line's provider"),
                    "peering_location": Ask("place", "the peering location"),
                    "bandwidth_in_mbps": Setting("mbps", 1000),
                    "sku": Nest({"tier": "Standard", "family": "MeteredData"}),
                },
            ),
        ),
        ("The provider of the line needs the circuit's service key.",),
    ),
    "site VPN": Service(
        (
            Piece(
                "azurerm_virtual_network_gateway",
                {
                    **PLACE,
                    "name": Name("free"),
                    "type": "Vpn",
                    "vpn_type": "RouteBased",
                    "sku": "VpnGw1AZ",
                    "ip_configuration": Nest(
                        {
                            "name": "gateway",
                            "public_ip_address_id": Own("address"),
                            "subnet_id": Own("subnet"),
                        }
                    ),
                },
            ),
            Piece(
                "azurerm_public_ip",
                {**PLACE, "name": Name("free"), "allocation_method": "Static", "sku": "Standard", "zones": ["1", "2", "3"]},
                "address",
            ),
            Piece(
                "azurerm_subnet",
                {
                    "name": "GatewaySubnet",
                    "resource_group_name": Base("resource_group_name"),
                    "virtual_network_name": Base("network_name"),
                    "address_prefixes": [Ask("subnet", "a free range of the network, for gateways")],
                },
                "subnet",
            ),
        )
    ),
    "DNS cutover": Service(
        (
            Piece(
                "azurerm_traffic_manager_profile",
                {
                    **GROUP,
                    "name": Name("free"),
                    "traffic_routing_method": "Weighted",
                    "dns_config": Nest({"relative_name": Name("world"), "ttl": Setting("ttl", 60)}),
                    "monitor_config": Nest({"protocol": "HTTPS", "port": 443, "path": "/"}),
                },
            ),
        )
    ),
}  # fmt: skip
