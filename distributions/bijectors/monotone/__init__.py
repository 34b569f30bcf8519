"""Increasing functions made of networks: sigmoidal mixtures, positive weights, integrals of positive functions."""

from probgen.distributions.bijectors.monotone.deep_sigmoid import DeepSigmoid
from probgen.distributions.bijectors.monotone.dense_sigmoid import DenseSigmoid
from probgen.distributions.bijectors.monotone.integral_network import IntegralNetwork
from probgen.distributions.bijectors.monotone.monotone_network import MonotoneNetwork

__all__ = ["DeepSigmoid", "DenseSigmoid", "IntegralNetwork", "MonotoneNetwork"]
