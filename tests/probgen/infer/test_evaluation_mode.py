"""Modes are restored part by part."""

import pytest
import torch

from probgen.infer.evaluation_mode import evaluating


def test_every_part_gets_its_own_mode_back_after_an_error_too():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
    with pytest.raises(RuntimeError), evaluating(network, torch.nn.Identity()):  # noqa: PT012  (what is tested is the block)
        assert not any(part.training for part in network.modules())
        raise RuntimeError
    assert [part.training for part in network.modules()] == [True, True, False]
