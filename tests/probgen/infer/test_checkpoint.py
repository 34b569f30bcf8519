"""Checkpoints of objectives."""

import pytest
import torch

from probgen.infer import UnsafeFileError, compile, load_weights
from probgen.infer.checkpoint import read_checkpoint, weights_of, write_checkpoint
from probgen.infer.storage import write_tree
from tests.probgen.infer.programs import Gaussian


def test_weights_and_training_state_come_back(tmp_path):
    model, twin = Gaussian(), Gaussian()
    with torch.no_grad():
        model.loc += 1.0
    assert weights_of(compile(model)) is model
    write_checkpoint(tmp_path / "a", compile(model), {"step": 2})
    assert read_checkpoint(tmp_path / "a")[1] == {"step": 2}
    load_weights(twin, tmp_path / "a")
    assert torch.equal(twin.loc, model.loc)


def test_other_files_and_other_structures_are_errors(tmp_path):
    write_tree(tmp_path / "a", {"x": 1})
    with pytest.raises(UnsafeFileError, match="is not a checkpoint"):
        load_weights(Gaussian(), tmp_path / "a")
    write_checkpoint(tmp_path / "b", torch.nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match="Missing key"):
        load_weights(Gaussian(), tmp_path / "b")


class Around(torch.nn.Module):
    """A loss with a part of that name, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.objective = Gaussian()
        self.temperature = torch.nn.Parameter(torch.zeros(()))


def test_a_part_called_objective_is_not_all_of_a_module(tmp_path):
    module, twin = Around(), Around()
    with torch.no_grad():
        module.temperature += 2.0
    assert weights_of(module) is module
    write_checkpoint(tmp_path / "a", module)
    load_weights(twin, tmp_path / "a")
    assert twin.temperature == 2.0
