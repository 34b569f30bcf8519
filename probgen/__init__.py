"""probgen: deep generative models as probability distributions, for PyTorch and Pyro."""

__version__ = "0.1.0.dev0"
