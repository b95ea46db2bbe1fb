"""What MySQL's errors mean, as :mod:`heavylift.platforms.mysql` reads them."""

from heavylift.platforms.mysql.faults import number_of, told_as, translated

__all__ = ["number_of", "told_as", "translated"]
