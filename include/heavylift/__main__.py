"""``python -m heavylift``."""

from __future__ import annotations

from heavylift.cli import main

if __name__ == "__main__":
    main()
