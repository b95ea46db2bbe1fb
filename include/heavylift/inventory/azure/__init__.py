"""The tables of Azure: its types, and what names what in its answers."""
