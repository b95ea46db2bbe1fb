"""A real Prometheus for tests, over blocks that are made of samples; its port comes from the system."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from sandbox import promtool

Samples = Mapping[str, Sequence[tuple[float, float]]]
"""A series, as ``name{label="value"}``, and its values: moment and number."""
_PORT = re.compile(r"Listening on\".*?127\.0\.0\.1:([1-9]\d*)")


@contextmanager
def prometheus(folder: Path, samples: Samples) -> Iterator[str]:
    """Serve samples, and yield the server's URL; the process ends with the block."""
    folder.mkdir(parents=True)
    exposed = folder / "samples.txt"
    exposed.write_text(_open_metrics(samples))
    data, tool = folder / "data", promtool.find()
    made = [tool, "tsdb", "create-blocks-from", "openmetrics", exposed, data]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    (folder / "prometheus.yml").write_text("global: {}\n")
    settings = ["--web.listen-address=127.0.0.1:0", "--storage.tsdb.retention.time=10y"]
    command = [tool.parent / "prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, f"--storage.tsdb.path={data}", *settings], stdout=written, stderr=written, cwd=folder
        )
    try:
        yield _answering(process, log)
    finally:
        process.kill()
        process.wait()


def _answering(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = _PORT.search(log.read_text())
        if found:
            url = f"http://127.0.0.1:{found[1]}"
            try:
                with urlopen(f"{url}/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return url
            except OSError:
                pass  # it listens, and is not ready yet
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _open_metrics(samples: Samples) -> str:
    families: dict[str, list[str]] = {}
    for series, values in samples.items():
        name = series.partition("{")[0]
        lines = families.setdefault(name, [])
        lines += [f"{series} {value!r} {at:.3f}" for at, value in values]
    text = "".join(
        f"# TYPE {name} unknown\n" + "".join(f"{line}\n" for line in lines)
        for name, lines in families.items()
    )
    return f"{text}# EOF\n"
