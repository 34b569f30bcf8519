"""Cases of the scalar maps: softplus, logistic, tanh, rectifiers, powers, sinh-arcsinh, cumulative distribution functions."""

import torch

from probgen.distributions.bijectors import (
    ELU,
    CauchyCDF,
    GumbelCDF,
    KumaraswamyCDF,
    LeakyReLU,
    LogisticCDF,
    Logit,
    NormalCDF,
    Power,
    Sigmoid,
    SignedPower,
    SinhArcsinh,
    Softplus,
    Tanh,
)
from probgen.distributions.testing import BijectorCase

BIJECTORS = {
    "Softplus": BijectorCase(Softplus),
    "Sigmoid": BijectorCase(Sigmoid),
    "Logit": BijectorCase(Logit),
    "Tanh": BijectorCase(Tanh),
    "LeakyReLU(given)": BijectorCase(LeakyReLU),
    "LeakyReLU(free)": BijectorCase(lambda: LeakyReLU(None, shape=(3,))),
    "ELU": BijectorCase(ELU),
    "Power(given)": BijectorCase(lambda: Power(torch.tensor([0.4, 1.0, 3.0]))),
    "Power(free)": BijectorCase(lambda: Power(shape=(3,))),
    "SignedPower(given)": BijectorCase(lambda: SignedPower(torch.tensor([0.5, 1.0, 2.0]))),
    "SignedPower(free)": BijectorCase(lambda: SignedPower(shape=(3,))),
    "SinhArcsinh(given)": BijectorCase(lambda: SinhArcsinh(torch.tensor([-0.5, 0.0, 1.0]), 0.7)),
    "SinhArcsinh(free)": BijectorCase(lambda: SinhArcsinh(shape=(3,))),
    "NormalCDF": BijectorCase(NormalCDF),
    "NormalCDF(given)": BijectorCase(lambda: NormalCDF(loc=torch.tensor([0.5, 0.0, -0.5]), scale=2.0)),
    "NormalCDF(free)": BijectorCase(lambda: NormalCDF(None, None, shape=(3,))),
    "LogisticCDF": BijectorCase(lambda: LogisticCDF(loc=torch.tensor([1.0, -2.0, 0.5]), scale=2.0)),
    "LogisticCDF(free)": BijectorCase(lambda: LogisticCDF(None, None, shape=(3,))),
    "CauchyCDF": BijectorCase(CauchyCDF),
    "CauchyCDF(free)": BijectorCase(lambda: CauchyCDF(None, None, shape=(3,))),
    "GumbelCDF": BijectorCase(GumbelCDF),
    "GumbelCDF(given)": BijectorCase(lambda: GumbelCDF(loc=0.5, scale=torch.tensor([1.0, 2.0, 3.0]))),
    "GumbelCDF(free)": BijectorCase(lambda: GumbelCDF(None, None, shape=(3,))),
    "KumaraswamyCDF(given)": BijectorCase(lambda: KumaraswamyCDF(a=2.0, b=torch.tensor([0.5, 1.0, 3.0]))),
    "KumaraswamyCDF(free)": BijectorCase(lambda: KumaraswamyCDF(shape=(3,))),
}
