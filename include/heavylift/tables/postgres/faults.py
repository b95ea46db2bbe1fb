"""What PostgreSQL's errors mean, as :mod:`heavylift.platforms.postgresql` tells."""

from heavylift.platforms.postgresql.faults import is_transient, sqlstate_of, told_as, translated

__all__ = ["is_transient", "sqlstate_of", "told_as", "translated"]
