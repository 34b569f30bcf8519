"""Gradients of every step of two short runs; started by `torchrun` from test_fit.py, and called there for one process."""

import os
import sys

import torch

from probgen.infer import ELBO, Callback, fit
from probgen.infer.storage import write_tree
from tests.probgen.infer.programs import Game, Gaussian


class Record(Callback):
    def __init__(self):
        self.gradients = []

    def on_gradient(self, training):
        self.gradients.append([None if p.grad is None else p.grad.clone() for p in training.objective.parameters()])


def sgd(parameters):
    return torch.optim.SGD(parameters, 1e-3)


def recorded_gradients():
    """Per run and step, the gradient of every parameter; one player, then two."""
    torch.manual_seed(0)
    x = torch.randn(12, 3)
    runs = {"one": (ELBO()(Gaussian(size=12)), [x, x]), "two": (Game(), [x[:, :2]] * 4)}
    gradients = {}
    for name, (loss, data) in runs.items():
        record = Record()
        fit(loss, data, sgd, callbacks=[record], progress=False, accelerator="cpu")
        gradients[name] = record.gradients
    return gradients


if __name__ == "__main__":
    write_tree(os.path.join(sys.argv[1], f"{os.environ['RANK']}.safetensors"), recorded_gradients())
    torch.distributed.destroy_process_group()
