"""Small generators and critics, one of each kind, with the contexts they take and whether their examples are independent."""

from typing import NamedTuple

import torch

from probgen.nn import (
    BatchNormMLP,
    ClassConditioning,
    DCGANCritic,
    DCGANGenerator,
    ImageToImageUNet,
    MaxoutCritic,
    MLPCritic,
    MLPGenerator,
    PatchCritic,
    ProgressiveCritic,
    ProgressiveGenerator,
    ResidualCritic,
    ResidualGenerator,
    ResidualTranslator,
    VectorConditioning,
)
from tests.probgen.nn.networks import awake


class Case(NamedTuple):
    """How to make a network; shapes of input and output; its context, if any; whether examples are independent in training."""

    make: object
    inputs: tuple
    outputs: tuple
    context: object = None
    independent: bool = True

    def built(self):
        """The network with all parameters awake."""
        torch.manual_seed(5)
        return awake(self.make())

    def example(self, count=3, dtype=torch.float32):
        """Inputs ``[count, ...]``, and a context where the network takes one."""
        torch.manual_seed(6)
        x = torch.randn(count, *self.inputs, dtype=dtype)
        if self.context is None:
            return (x,)
        context = self.context(count)
        return x, context.to(dtype) if context.is_floating_point() else context


def labels(count):
    return torch.arange(count) % 4


def vectors(count):
    return torch.randn(count, 3)


def images(*shape):
    return lambda count: torch.randn(count, *shape)


GRAY, COLOR, ODD = (1, 28, 28), (3, 16, 16), (2, 9, 13)

GENERATORS = {
    "dcgan": Case(lambda: DCGANGenerator(GRAY, 6, channels=4), (6,), GRAY, independent=False),
    "dcgan, labels": Case(
        lambda: DCGANGenerator(COLOR, 6, channels=4, output="sigmoid", conditioning=ClassConditioning(4, 5)),
        (6,), COLOR, labels, independent=False,
    ),
    "dcgan, layer, odd": Case(lambda: DCGANGenerator(ODD, 6, channels=4, normalization="layer"), (6,), ODD),
    "residual": Case(lambda: ResidualGenerator(GRAY, 6, channels=4), (6,), GRAY, independent=False),
    "residual, sagan": Case(
        lambda: ResidualGenerator(COLOR, 6, channels=4, attention=8, spectral=True, conditioning=VectorConditioning(3)),
        (6,), COLOR, vectors, independent=False,
    ),
    "residual, biggan": Case(
        lambda: ResidualGenerator(COLOR, 6, channels=4, split_noise=True, conditioning=ClassConditioning(4, 5)),
        (6,), COLOR, labels, independent=False,
    ),
    "residual, split, instance, odd": Case(
        lambda: ResidualGenerator(ODD, 6, channels=4, normalization="instance", split_noise=True), (6,), ODD
    ),
    "progressive": Case(lambda: ProgressiveGenerator(COLOR, 6, channels=4), (6,), COLOR),
    "progressive, labels, odd": Case(
        lambda: ProgressiveGenerator(ODD, 6, channels=4, output="tanh", conditioning=ClassConditioning(4, 5)),
        (6,), ODD, labels,
    ),
    "unet": Case(
        lambda: ImageToImageUNet(COLOR, context_channels=1, noise_features=6, channels=4), (6,), COLOR, images(1, 16, 16)
    ),
    "unet, deep, odd": Case(
        lambda: ImageToImageUNet(ODD, noise_features=6, channels=4, multipliers=(1, 2, 2)), (6,), ODD, images(*ODD)
    ),
    "translator": Case(
        lambda: ResidualTranslator(COLOR, context_channels=1, noise_features=6, channels=4, blocks=1),
        (6,), COLOR, images(1, 16, 16),
    ),
    "translator, deterministic, odd": Case(
        lambda: ResidualTranslator(ODD, channels=4, blocks=1, halvings=1), (0,), ODD, images(*ODD)
    ),
    "mlp": Case(lambda: BatchNormMLP(6, 2, hidden=(8, 8)), (6,), (2,), independent=False),
    "mlp, vectors": Case(
        lambda: BatchNormMLP(6, 2, hidden=(8, 8), context_features=3), (6,), (2,), vectors, independent=False
    ),
    "perceptron": Case(lambda: MLPGenerator((2, 3), 6, hidden=(8,), activation=torch.nn.SiLU), (6,), (2, 3)),
    "perceptron, labels": Case(
        lambda: MLPGenerator(GRAY, 6, hidden=(8,), activation=torch.nn.SiLU, conditioning=ClassConditioning(4, 5)),
        (6,), GRAY, labels,
    ),
}  # fmt: skip

CRITICS = {
    "dcgan": Case(lambda: DCGANCritic(GRAY, channels=4), GRAY, (1,), independent=False),
    "dcgan, layer": Case(lambda: DCGANCritic(GRAY, channels=4, normalization="layer"), GRAY, (1,)),
    "dcgan, spectral, labels": Case(
        lambda: DCGANCritic(COLOR, channels=4, normalization="none", spectral=True, conditioning=ClassConditioning(4, 5)),
        COLOR, (1,), labels,
    ),
    "dcgan, instance, odd": Case(lambda: DCGANCritic(ODD, channels=4, normalization="instance"), ODD, (1,)),
    "residual": Case(lambda: ResidualCritic(GRAY, channels=4), GRAY, (1,)),
    "residual, wgan": Case(lambda: ResidualCritic(ODD, channels=4, normalization="layer", spectral=False), ODD, (1,)),
    "residual, sagan": Case(
        lambda: ResidualCritic(COLOR, channels=4, attention=8, conditioning=VectorConditioning(3)), COLOR, (1,), vectors
    ),
    "residual, deviation": Case(
        lambda: ResidualCritic(COLOR, channels=4, deviation_group=4), COLOR, (1,), independent=False
    ),
    "progressive": Case(lambda: ProgressiveCritic(COLOR, channels=4), COLOR, (1,), independent=False),
    "progressive, labels, odd": Case(
        lambda: ProgressiveCritic(ODD, channels=4, deviation_group=0, conditioning=ClassConditioning(4, 5)),
        ODD, (1,), labels,
    ),
    "patch": Case(lambda: PatchCritic(COLOR, channels=4, depth=2), COLOR, (1, 2, 2)),
    "patch, context": Case(
        lambda: PatchCritic(COLOR, context_channels=1, channels=4, depth=1, normalization="none", spectral=True),
        COLOR, (1, 6, 6), images(1, 16, 16),
    ),
    "perceptron": Case(lambda: MLPCritic((2, 3), hidden=(8,), activation=torch.nn.SiLU), (2, 3), (1,)),
    "perceptron, labels": Case(
        lambda: MLPCritic(GRAY, hidden=(8,), activation=torch.nn.SiLU, conditioning=ClassConditioning(4, 5)), GRAY, (1,), labels
    ),
    "maxout": Case(lambda: MaxoutCritic(2, hidden=(8, 8), pieces=3), (2,), (1,)),
    "maxout, vectors": Case(
        lambda: MaxoutCritic(2, hidden=(8,), pieces=3, spectral=True, context_features=3), (2,), (1,), vectors
    ),
}  # fmt: skip
