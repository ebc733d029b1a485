from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.build_apr import apr, stamped
from pv_runtime.formats import open_checkpoint
from pv_runtime.provenance import DERIVED_FROM, file_sha256


def test_an_apr_has_every_tensor_bit_for_bit(model_folder: Path, tmp_path: Path) -> None:
    apr(str(model_folder), str(tmp_path / "model.apr"))
    source, made = open_checkpoint(model_folder), open_checkpoint(tmp_path / "model.apr")
    assert made.format == "apr"
    assert sorted(made.names()) == sorted(source.names())
    for name in source.names():
        assert made.info(name) == source.info(name)
        assert np.array_equal(made.raw(name), source.raw(name))


def test_building_twice_gives_the_same_bytes(model_folder: Path, tmp_path: Path) -> None:
    for place in ("a", "b"):
        apr(str(model_folder), str(tmp_path / f"{place}.apr"))
        stamped(
            str(tmp_path / f"{place}.apr"),
            str(tmp_path / f"{place}-stamped.apr"),
            license="MIT",
            data_source="ours",
            data_license="PSF-2.0",
        )
    assert (tmp_path / "a.apr").read_bytes() == (tmp_path / "b.apr").read_bytes()
    assert (tmp_path / "a-stamped.apr").read_bytes() == (tmp_path / "b-stamped.apr").read_bytes()


def test_a_stamp_states_its_fields_and_its_source(model_folder: Path, tmp_path: Path) -> None:
    apr(str(model_folder), str(tmp_path / "a.apr"))
    output = tmp_path / "b.apr"
    stamped(str(tmp_path / "a.apr"), str(output), license="mit", data_source="ours", data_license="psf-2.0")
    metadata = open_checkpoint(output).metadata
    assert metadata["license"] == "MIT"
    assert metadata["data_license"] == "PSF-2.0"
    assert metadata["data_source"] == "ours"
    assert metadata[DERIVED_FROM] == file_sha256(str(tmp_path / "a.apr"))


def test_no_licence_is_not_stamped(model_folder: Path, tmp_path: Path) -> None:
    apr(str(model_folder), str(tmp_path / "a.apr"))
    with pytest.raises(ValueError, match="SPDX"):
        stamped(
            str(tmp_path / "a.apr"),
            str(tmp_path / "b.apr"),
            license="mine",
            data_source="",
            data_license="MIT",
        )
    assert not (tmp_path / "b.apr").exists()
