"""The tables of one target."""
