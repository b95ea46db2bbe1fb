"""Follows a registry's database while teams keep logging: by the movers of registries and of tables together.

Registries know MLflow's tables, their artifact URIs and what proves a copy; tables know the source's log,
fences and the way back. Neither knows the other: this is where they meet.
"""
