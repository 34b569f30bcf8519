"""Descriptions of object graphs."""

import pytest
import torch
from torch import nn

from probgen.infer import UnsafeFileError
from probgen.infer.structure import build, describe
from tests.probgen.infer.programs import Gaussian


def test_tied_weights_and_cycles_survive():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    net.note = [net[0].weight]
    twin = build(describe(net))
    assert twin[0].weight is twin[1].weight is twin.note[0]
    assert torch.equal(twin(torch.ones(2)), net(torch.ones(2)))


def test_no_constructor_runs_and_unknown_classes_are_refused():
    class Loud(Gaussian):
        def __init__(self):
            raise AssertionError

    tree = describe(Gaussian(), classes=[Gaussian])
    with pytest.raises(UnsafeFileError, match="Gaussian"):
        build(tree)
    name = tree["class"].replace("Gaussian", "Loud")
    Loud.__module__, Loud.__qualname__ = name.rpartition(".")[0], "Loud"
    assert type(build({**tree, "class": name}, classes=[Loud])) is Loud
