"""Every test starts from the same seeds and leaves torch's and Pyro's global switches as it found them."""

import random

import hypothesis
import numpy
import pyro
import pytest
import torch
from torch.distributions import Distribution

from probgen.distributions.testing import current_profile

for _name, _examples in (("default", 20), ("full", 50), ("long", 500)):
    hypothesis.settings.register_profile(
        _name, max_examples=_examples, derandomize=True, database=None, deadline=None, print_blob=True
    )
hypothesis.settings.load_profile(current_profile().name)


@pytest.fixture(autouse=True)
def reproducible():
    """Seeds before, global switches restored after."""
    random.seed(0)
    numpy.random.seed(0)  # noqa: NPY002  # code under test may use the old generator
    torch.manual_seed(0)
    pyro.clear_param_store()
    default, validate = torch.get_default_dtype(), Distribution._validate_args
    yield
    torch.set_default_dtype(default)
    Distribution.set_default_validate_args(validate)
    pyro.enable_validation(validate)
    pyro.clear_param_store()
