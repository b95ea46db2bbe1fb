"""Images that an inventory names."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.errors import SpecError
from heavylift.images.inventoried import images_in

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
DIGEST = "sha256:" + "a" * 64


def test_images_of_the_registry_are_found_wherever_they_stand(tmp_path: Path) -> None:
    attributes = [
        json.dumps({"containers": [{"image": f"{HOST}/ml/a:1"}, {"image": "nginx:1"}]}),
        json.dumps({"note": f"runs {HOST}/ml/b@{DIGEST}, and not x{HOST}/ml/c:1."}),
        None,
    ]
    table = pa.table({"attributes_json": attributes, "size": [1, 2, 3], "id": [f"{HOST}/ml/a", "x", "y"]})
    pq.write_table(table, tmp_path / "components.parquet")
    assert images_in(tmp_path / "components.parquet", HOST) == (
        f"{HOST}/ml/a", f"{HOST}/ml/a:1", f"{HOST}/ml/b@{DIGEST}",
    )  # fmt: skip


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{}")
    for path in (tmp_path / "x", tmp_path / "none"):
        with pytest.raises(SpecError, match="HL-9178"):
            images_in(path, HOST)
