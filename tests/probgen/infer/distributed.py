"""Gradients of every step of short runs; started by `torchrun` from test_fit.py, and called there for one process."""

import os
import sys

import pyro.distributions as dist
import torch

from probgen.distributions import ImplicitLaw
from probgen.infer import ELBO, R1, Adversarial, Callback, NonSaturating, fit
from probgen.infer.storage import write_tree
from tests.probgen.infer.adversarial.games import Joined
from tests.probgen.infer.programs import Game, Gaussian


class Record(Callback):
    def __init__(self):
        self.gradients = []

    def on_gradient(self, training):
        self.gradients.append([None if p.grad is None else p.grad.clone() for p in training.objective.parameters()])


def sgd(parameters):
    return torch.optim.SGD(parameters, 1e-3)


def adversarial():
    """A game with second derivatives in which the context is the noise, so that every process draws its part of the draws."""
    law = ImplicitLaw(dist.Delta(torch.zeros(1)).to_event(1), Joined(2, 2), (2,), context_shape=(1,))
    return Adversarial(NonSaturating(), critic_steps=2, penalties=[R1(2.0)])(law, Joined(3, 1))


def recorded_gradients():
    """Per run and step, the gradient of every parameter; one player, then two, then two that are networks."""
    torch.manual_seed(0)
    x = torch.randn(12, 3)
    runs = {"one": (ELBO()(Gaussian(size=12)), [x, x]), "two": (Game(), [x[:, :2]] * 4)}
    runs["adversarial"] = (adversarial(), [(x[:, :2], x[:, 2:])] * 4)
    gradients = {}
    for name, (loss, data) in runs.items():
        record = Record()
        fit(loss, data, sgd, callbacks=[record], progress=False, accelerator="cpu")
        gradients[name] = record.gradients
    return gradients


if __name__ == "__main__":
    write_tree(os.path.join(sys.argv[1], f"{os.environ['RANK']}.safetensors"), recorded_gradients())
    torch.distributed.destroy_process_group()
