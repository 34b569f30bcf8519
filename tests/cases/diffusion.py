"""Cases of diffusion models: the law of the data under a chain, and the law of a training time."""

import torch

import probgen as pg
from probgen.diffusion import DiffusionLaw
from probgen.diffusion.objectives import LogNormalNoise, LogUniformNoise
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder, GaussianDenoiser
from probgen.distributions.testing import DistributionCase
from tests.cases.networks import TinyDenoisingNetwork

SCHEDULE = pg.diffusion.linear_schedule(4, 0.05, 0.5)


EXACT_TIMES = {"distribution_dtype_is_kept": "times are float64 whatever the model's dtype: log-SNR is rounded once"}


def oracle_model(**options):
    oracle = GaussianDenoiser(SCHEDULE, torch.tensor([1.0, -0.5]), torch.tensor([0.25, 2.0]))
    return pg.diffusion.Diffusion(oracle, SCHEDULE, (2,), 4, **options)


def conditional_law():
    network = TinyDenoisingNetwork(2, 2, context_shape=(3,))
    model = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), 4)
    return model.distribution(context=torch.linspace(-1, 1, 6).reshape(2, 3), path_rows=3)


DISTRIBUTIONS = {
    "DiffusionLaw": DistributionCase(lambda: DiffusionLaw(oracle_model())),
    "DiffusionLaw(context)": DistributionCase(conditional_law),
    "DiffusionLaw(levels)": DistributionCase(
        lambda: oracle_model(decoder=DiscretizedDecoder(Quantization(5, -2.0, 2.0), 0.5)).distribution()
    ),
    "LogNormalNoise": DistributionCase(lambda: LogNormalNoise(pg.diffusion.edm_schedule(), -0.5, 1.0), exempt=EXACT_TIMES),
    "LogUniformNoise": DistributionCase(
        lambda: LogUniformNoise(pg.diffusion.cosine_schedule(), 0.05, 0.95), exempt=EXACT_TIMES
    ),
}
