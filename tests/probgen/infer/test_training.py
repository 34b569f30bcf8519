"""The state of a run, without a run."""

import pytest
import torch

from probgen.infer.stream import Stream
from probgen.infer.training import Training, Validation
from tests.probgen.infer.programs import Gaussian


def test_a_run_ends_at_its_last_step_or_when_stopped():
    validation: Validation | None = None
    training = Training(Gaussian(), Stream([torch.zeros(1)], epochs=None), fabric=None, total_steps=2, validation=validation)
    assert (training.finished, training.epoch, validation) == (False, 0, None)
    training.stop()
    assert training.finished


def test_weights_alone_are_no_run(tmp_path):
    from probgen.infer.checkpoint import write_checkpoint

    write_checkpoint(tmp_path / "best.safetensors", Gaussian())
    training = Training(Gaussian(), Stream([], epochs=1), fabric=None)
    with pytest.raises(ValueError, match=r"use `infer\.load_weights`"):
        training.restore(tmp_path / "best.safetensors")
