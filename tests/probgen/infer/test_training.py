"""The state of a run, and what a run's first and resumed steps begin from."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import AutoNormal

from probgen.data import Batches
from probgen.infer import ELBO, EMA, fit
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


def test_an_average_that_a_checkpoint_lacks_begins_at_the_restored_weights(tmp_path):
    first, second = Gaussian(), Gaussian()
    batches = [torch.full((2, 3), 4.0)] * 3
    arguments = {"optimizer": lambda p: torch.optim.SGD(p, 0.01), "progress": False, "accelerator": "cpu"}
    fit(ELBO()(first), batches, checkpoint=tmp_path, **arguments)
    with torch.no_grad():
        second.loc.add_(100.0)
    average = EMA(second, 0.999, warmup=False)
    fit(ELBO()(second), batches, steps=4, checkpoint=tmp_path, resume=True, ema=average, **arguments)
    for mean, weight in zip(average.average, first.parameters(), strict=True):
        torch.testing.assert_close(mean, weight.detach(), atol=0.1, rtol=0.0)


def test_making_an_autoguide_loses_no_batch():
    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    data = Batches(torch.arange(8.0), batch_size=2)
    assert fit(ELBO()(model, AutoNormal(model)), data, epochs=1, progress=False, accelerator="cpu").steps == 4
