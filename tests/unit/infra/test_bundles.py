"""Generated files travel as one document, and nothing else comes out of it than what went in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.errors import IntegrityError
from heavylift.infra.bundles import pack, unpack
from heavylift.infra.carrying import roots_of_stage
from heavylift.infra.folder import Infra, write
from heavylift.infra.generate import generate
from tests.support.infra_samples import sampled, wanted


@pytest.fixture(scope="module")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Infra:
    demand = wanted("aws", "gcp", sampled("aws"))
    return write(generate(demand), demand, tmp_path_factory.mktemp("infra"), approved=True)


def test_another_folder_has_the_same_files_and_nothing_that_lay_beside_them(
    infra: Infra, tmp_path: Path
) -> None:
    (infra.folder / "foundation" / "terraform.tfstate").write_text("secret")
    again = unpack(pack(infra, {"project": "p"}), tmp_path, infra.digest)
    assert (again.digest, again.files, again.approved) == (infra.digest, infra.files, True)
    assert json.loads((tmp_path / "values.json").read_text()) == {"project": "p"}
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*infra.files, "infra.json", "values.json"}
    for path in infra.files:
        assert (tmp_path / path).read_bytes() == (infra.folder / path).read_bytes()


@pytest.mark.parametrize("path", ["../outside", "/tmp/heavylift-outside", "a/../../outside"])
def test_no_file_is_written_elsewhere(path: str, infra: Infra, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(IntegrityError, match="HL-7934"):
        unpack(json.dumps({path: "x"}).encode(), inside, infra.digest)
    assert [*tmp_path.rglob("*")] == [inside]


def test_other_files_than_those_that_were_generated_are_refused(infra: Infra, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"HL-7934"):
        unpack(pack(infra, {}), tmp_path, "0" * 64)
    texts = json.loads(pack(infra, {}))
    texts["foundation/main.tf"] += "# more\n"
    with pytest.raises(IntegrityError, match=r"HL-7934"):
        unpack(json.dumps(texts).encode(), tmp_path, infra.digest)


def test_making_begins_with_the_foundation_and_destroying_ends_with_it() -> None:
    folders = ("foundation", "wave-1", "wave-2")
    making = [roots_of_stage(folders, stage, destroy=False) for stage in ("first", "second")]
    assert making == [["foundation"], ["wave-1", "wave-2"]]
    ending = [roots_of_stage(folders, stage, destroy=True) for stage in ("first", "second")]
    assert ending == [["wave-2", "wave-1"], ["foundation"]]
