"""The same step as Pyro programs through ``probgen.infer.ELBO``."""

import pyro
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule

from probgen.distributions import TransformedDistribution, standard_normal
from tests.benchmarks.cases import FlowCase, StepCase
from tests.benchmarks.subjects.steps import ChainNets, Nets, Step, data, optimized

PACKAGE = "probgen"


class Decoder(PyroModule):
    def __init__(self, nets: Nets, latent: int) -> None:
        super().__init__()
        self.net, self.latent = nets.decoder, latent

    def forward(self, x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", standard_normal(self.latent))
            pyro.sample("x", dist.Bernoulli(logits=self.net(z)).to_event(1), obs=x)


class Encoder(PyroModule):
    def __init__(self, nets: Nets) -> None:
        super().__init__()
        self.net = nets.encoder

    def forward(self, x):
        loc, log_scale = self.net(x).chunk(2, -1)
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))


class FlowModel(PyroModule):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        from tests.benchmarks.subjects import own

        self.bijector = own.build(FlowCase("spline coupling", case.dim, case.batch, case.device)).module
        self.dim = case.dim

    def forward(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("x", TransformedDistribution(standard_normal(self.dim), self.bijector), obs=x)


class ChainModel(PyroModule):
    def __init__(self, nets: ChainNets) -> None:
        super().__init__()
        self.nets, self.pixels = nets.priors, nets.pixels

    def forward(self, x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z0", standard_normal(4))
            for level, net in enumerate(self.nets, 1):
                loc, log_scale = net(z).chunk(2, -1)
                z = pyro.sample(f"z{level}", dist.Normal(loc, log_scale.exp()).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.pixels(z)).to_event(1), obs=x)


class ChainGuide(PyroModule):
    def __init__(self, nets: ChainNets) -> None:
        super().__init__()
        self.first, self.nets = nets.first, nets.posteriors

    def forward(self, x):
        seen = x
        with pyro.plate("data", len(x)):
            for level, net in enumerate([self.first, *self.nets]):
                loc, log_scale = net(seen).chunk(2, -1)
                seen = pyro.sample(f"z{level}", dist.Normal(loc, log_scale.exp()).to_event(1))


def autoencoder(case: StepCase):
    """The VAE as the library gives it."""
    from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
    from probgen.vae import VAE

    nets = Nets(case)
    decoder = NetworkLaw(nets.decoder, BernoulliElement(), event_shape=(784,), input_shape=(case.latent,))
    encoder = NetworkLaw(nets.encoder, NormalElement(), event_shape=(case.latent,), input_shape=(784,))
    return VAE(standard_normal(case.latent), decoder, encoder).to(case.device)


def programs(case: StepCase):
    """Model and guide (None for maximum likelihood)."""
    if case.model == "flow":
        return FlowModel(case).to(case.device), None
    if case.model == "levels":
        chain = ChainNets(case).to(case.device)
        return ChainModel(chain), ChainGuide(chain)
    nets = Nets(case).to(case.device)
    return Decoder(nets, case.latent), Encoder(nets)


def build_step(case: StepCase, *, compiled: bool) -> Step:
    from probgen import infer

    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    objective = infer.IWAE(case.particles) if case.particles > 1 else infer.ELBO()
    loss = autoencoder(case).loss(objective) if case.model == "vae" else objective(*programs(case))
    call = infer.compile(loss) if compiled else loss
    x = data(case)
    return optimized(loss, lambda: call(x))
