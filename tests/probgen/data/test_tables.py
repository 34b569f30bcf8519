"""Tables are standardized on the training rows only."""

import hashlib
import os

import numpy
import pytest
import torch

from probgen.data import load_uci, tables

needs_data = pytest.mark.skipif("PROBGEN_DATA" not in os.environ, reason="PROBGEN_DATA is not set")


def test_unknown_table():
    with pytest.raises(ValueError, match="'iris'"):
        load_uci("iris")


@needs_data
@pytest.mark.parametrize("name", ["wine", "parkinsons"])
def test_tables_are_standardized_on_the_training_rows(name):
    table = load_uci(name)
    assert torch.allclose(table.train.x.mean(0), torch.zeros(table.train.x.shape[1]), atol=1e-4)
    assert torch.allclose(table.train.y.std(), torch.ones(()), atol=1e-4)


def test_a_table_is_cut_once_and_standardized_by_its_training_rows(tmp_path, monkeypatch):
    """Thirty made rows stand for the wines; their checksum is what is expected in this test only."""
    rows = numpy.random.default_rng(0).normal(5.0, 3.0, (30, 4)).astype(numpy.float32)
    numpy.savez(tmp_path / "uci_wine.npz", data=rows)
    monkeypatch.setenv("PROBGEN_DATA", str(tmp_path))
    monkeypatch.setitem(tables._SHA256, "wine", hashlib.sha256((tmp_path / "uci_wine.npz").read_bytes()).hexdigest())
    plain, scaled = load_uci("wine", standardize=False), load_uci("wine")
    assert [len(split) for split in (plain.train, plain.validation, plain.test)] == [24, 3, 3]
    assert torch.allclose(scaled.train.x.mean(0), torch.zeros(3), atol=1e-5)
    mean, std = plain.train.x.mean(0), plain.train.x.std(0)
    assert torch.allclose(scaled.test.x, (plain.test.x - mean) / std, atol=1e-5)
    seen = torch.cat([torch.cat([split.x, split.y], -1) for split in (plain.train, plain.validation, plain.test)])
    assert sorted(seen.tolist()) == sorted(rows.tolist())
