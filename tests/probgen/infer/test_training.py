"""The state of a run, without a run."""

import pytest
import torch

from probgen.infer.stream import Stream
from probgen.infer.training import OptimizerFactory, ScheduleFactory, Training, adam
from tests.probgen.infer.programs import Gaussian


def test_default_optimizer_is_fused_adam():
    factory: OptimizerFactory = adam
    optimizer = factory(Gaussian().parameters())
    assert optimizer.defaults["fused"]
    assert optimizer.defaults["lr"] == 1e-3


def test_a_run_ends_at_its_last_step_or_when_stopped():
    schedule: ScheduleFactory | None = None
    training = Training(Gaussian(), Stream([torch.zeros(1)], epochs=None), fabric=None, total_steps=2)
    assert (training.finished, training.epoch, schedule) == (False, 0, None)
    training.stop()
    assert training.finished


def test_weights_alone_are_no_run(tmp_path):
    from probgen.infer.checkpoint import write_checkpoint

    write_checkpoint(tmp_path / "best.safetensors", Gaussian())
    training = Training(Gaussian(), Stream([], epochs=1), fabric=None)
    with pytest.raises(ValueError, match=r"use `infer\.load_weights`"):
        training.restore(tmp_path / "best.safetensors")
