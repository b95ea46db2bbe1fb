"""Where the checkout keeps things that are made rather than written."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
STATE_DIR = REPO / ".sandbox"
TOOLS_DIR = REPO / ".bootstrap"
