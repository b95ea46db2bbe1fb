"""The tables of Google Cloud: its types, and what names what in its answers."""
