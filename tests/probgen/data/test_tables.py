"""Tables are standardized on the training rows only."""

import os

import pytest
import torch

from probgen.data import load_uci

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
