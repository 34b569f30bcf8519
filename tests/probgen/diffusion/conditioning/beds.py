"""What the tests of conditioning share: mixtures, observations, a network with a context."""

import torch

from probgen.diffusion.conditioning import AveragePooling, Grayscale, Masking, MatrixOperator
from probgen.distributions.chains import GaussianChain, MixtureDenoiser, TimeGrid, cosine_schedule


def mixture(seed=0, components=3, dim=2):
    """A mixture in float64 with full covariance matrices."""
    generator = torch.Generator().manual_seed(seed)
    means = 2 * torch.randn(components, dim, generator=generator, dtype=torch.float64)
    roots = 0.5 * torch.randn(components, dim, dim, generator=generator, dtype=torch.float64)
    covariances = roots @ roots.mT + 0.05 * torch.eye(dim, dtype=torch.float64)
    logits = torch.randn(components, generator=generator, dtype=torch.float64)
    return MixtureDenoiser(cosine_schedule(), logits, means, covariances)


def correlated(steps=50, dim=2, rho=0.9):
    """The chain of one correlated Gaussian, with the exact denoiser and its exact law."""
    covariance = (1 - rho) * torch.eye(dim).double() + rho
    oracle = MixtureDenoiser(cosine_schedule(), torch.zeros(1).double(), torch.zeros(1, dim).double(), covariance[None])
    return GaussianChain(oracle, TimeGrid(steps))


def first_seen(value=1.0, dim=2):
    """The mask that shows the first coordinate."""
    mask = torch.arange(dim) == 0
    return Masking(mask), torch.where(mask, value, 0.0).double()


class Shrinking(torch.nn.Module):
    """A network with couplings within a datum, none between data, and a context of numbers."""

    context_shape = (2,)

    def __init__(self, size=4):
        super().__init__()
        torch.manual_seed(3)
        self.linear = torch.nn.Linear(size + 3, size)
        self.register_buffer("null_context", torch.tensor([9.0, 9.0]))

    def forward(self, x, log_snr, context=None):
        return torch.tanh(self.linear(torch.cat([x, log_snr.unsqueeze(-1) / 10, context], -1)))


OPERATORS = {
    "mask": lambda: Masking(torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5),
    "pooling": lambda: AveragePooling((3, 4, 4), 2),
    "grayscale": lambda: Grayscale((3, 4, 4), (0.3, 0.6, 0.1)),
    "matrix": lambda: MatrixOperator(torch.randn(5, 48, generator=torch.Generator().manual_seed(0)), (3, 4, 4)),
}
