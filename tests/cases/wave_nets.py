"""Cases of WaveNets on codes and numbers, with contexts and compiled steps; laws on waveforms; mu-law companding."""

from collections.abc import Callable

import torch

from probgen.distributions import Autoregressive
from probgen.distributions.bijectors import IncrementalNetwork, MuLaw
from probgen.distributions.elements import CategoricalElement, NormalElement
from probgen.distributions.testing import BijectorCase, DistributionCase
from probgen.nn import CompiledSteps, WaveNet

SMALL = {"dilations": 2, "stacks": 1, "channels": 4}


def recorded(graph, _inputs):
    """A step as it was recorded; the inductor backend has its own test."""
    return graph


def conditioned() -> Autoregressive:
    """Four codes at three positions, with a bound context."""
    network = WaveNet(3, values=4, context_shape=(2,), **SMALL)
    return Autoregressive(network, (3,), CategoricalElement(4), context=torch.tensor([[0.5, -1.0], [0.0, 1.0]]))


NETWORKS: dict[str, Callable[[], IncrementalNetwork]] = {
    "WaveNet": lambda: WaveNet(7, 2, values=None, dilations=2, stacks=2, channels=4),
    "WaveNet(two numbers, three taps)": lambda: WaveNet(6, 2, values=None, inputs=2, kernel_size=3, **SMALL),
    "WaveNet(context)": lambda: WaveNet(5, 2, values=None, context_shape=(2, 2), **SMALL),
    "WaveNet(local context)": lambda: WaveNet(7, 2, values=None, context_shape=(2,), local_shape=(2, 3), **SMALL),
    "CompiledSteps(WaveNet)": lambda: CompiledSteps(WaveNet(5, 2, values=None, context_shape=(2,), **SMALL), recorded),
}

DISTRIBUTIONS = {
    "Autoregressive(WaveNet, codes, context)": DistributionCase(conditioned),
    "Autoregressive(WaveNet, normal)": DistributionCase(
        lambda: Autoregressive(WaveNet(4, 2, values=None, **SMALL), (4,), NormalElement())
    ),
}

BIJECTORS = {
    "MuLaw": BijectorCase(MuLaw),
    "MuLaw(weak)": BijectorCase(lambda: MuLaw(3.0)),
}
