"""YAML of unknown origin: plain values, without aliases, bounded in depth."""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 100


class PlainLoader(yaml.SafeLoader):
    """Builds plain values, and refuses aliases: a few lines of them can stand for gigabytes."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node.

        :raises yaml.YAMLError: it is an alias, or too deep.
        """
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias, which is not read", event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"more than {MAX_DEPTH} levels", None)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1
