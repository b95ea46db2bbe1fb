"""Ending early and cleanly, as :mod:`heavylift.platforms.postgresql` has it."""

from heavylift.platforms.postgresql.stopping import demand_going_on

__all__ = ["demand_going_on"]
