"""Settings say what is wrong with them before anything is trained."""

import pytest
import torch

from probgen.demo import Settings


def test_a_device_that_is_not_here_is_an_error():
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA"):
            Settings(device="cuda")
    with pytest.raises(ValueError, match="'cpu' or 'cuda'; got 'tpu'"):
        Settings(device="tpu")


def test_counts_and_clock():
    with pytest.raises(ValueError, match="`steps` must be at least 1; got 0"):
        Settings(steps=0)
    with pytest.raises(ValueError, match="`clock`"):
        Settings(clock="sun")
    assert Settings(toys=0, seed=0).now() <= Settings().now()


@pytest.mark.parametrize("data", ["digits", "fashion-mnist"])
def test_a_smoke_test_does_less(data):
    small, whole = Settings.smoke(data), Settings.of(data)
    assert (small.data, whole.data) == (data, data)
    assert small.steps < whole.steps
    assert small.width < whole.width
