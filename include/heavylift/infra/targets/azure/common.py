"""What most resources of Azure have: place, group, tags; how they use key and identity."""

from __future__ import annotations

from heavylift.infra.template import Base, Nest, Var

PLACE = {
    "resource_group_name": Base("resource_group_name"),
    "location": Var("location"),
    "tags": Var("labels"),
}
GROUP = {"resource_group_name": Base("resource_group_name"), "tags": Var("labels")}
IDENTITY = Nest({"type": "UserAssigned", "identity_ids": [Base("identity_id")]})
SYSTEM = Nest({"type": "SystemAssigned"})
