"""Watching, beside Evidently."""

US = "heavylift"
PEER = "evidently"
WANTED = ("evidently==0.7.23", "pandas<3", "pyarrow")
