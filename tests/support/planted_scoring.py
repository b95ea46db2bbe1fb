"""A scoring server for trials, as a program: PORT SLOTS MILLISECONDS; so many requests at a time.

It sleeps and uses no processor, so that what it bears is planted: SLOTS / MILLISECONDS. With a fourth
argument it first writes its process's number into that file.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOTS = threading.Semaphore(int(sys.argv[2]))
SECONDS = float(sys.argv[3]) / 1000


class Handler(BaseHTTPRequestHandler):
    """Answers as MLflow's does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        with SLOTS:
            time.sleep(SECONDS)
        content = json.dumps({"predictions": [sum(row) for row in rows]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Takes as many connections as come."""

    request_queue_size = 256
    daemon_threads = True


if __name__ == "__main__":
    if len(sys.argv) > 4:
        Path(sys.argv[4]).write_text(str(os.getpid()))
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
