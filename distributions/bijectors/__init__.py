"""Bijectors: invertible maps with tractable log-determinants, in pure torch.

This package does not train, sample data, or know Pyro; see ``probgen.infer`` and ``probgen.distributions.pyro_bridge``.
"""

from probgen.distributions.bijectors.affine import Affine, Scale, Shift
from probgen.distributions.bijectors.amortized import Amortized
from probgen.distributions.bijectors.axes import (
    ActNorm,
    Along,
    FactorOut,
    MaskedCoupling,
    SplitCoupling,
    Squeeze,
    checkerboard_mask,
)
from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.bernstein import Bernstein
from probgen.distributions.bijectors.block_autoregressive import BlockAutoregressive
from probgen.distributions.bijectors.butterfly import Butterfly
from probgen.distributions.bijectors.cdf import CauchyCDF, GumbelCDF, LocationScaleCDF, LogisticCDF, NormalCDF
from probgen.distributions.bijectors.circle.mobius import Mobius
from probgen.distributions.bijectors.circle.rotation import CircularReflection, CircularShift
from probgen.distributions.bijectors.combined import Combined
from probgen.distributions.bijectors.compose import Compose
from probgen.distributions.bijectors.concat import Concat, Stack
from probgen.distributions.bijectors.conditional_elementwise import ConditionalElementwise
from probgen.distributions.bijectors.conditioned import Conditioned
from probgen.distributions.bijectors.continuous import ContinuousFlow
from probgen.distributions.bijectors.coupling import Coupling, alternating_mask, half_mask
from probgen.distributions.bijectors.dense import DenseLinear
from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.elu import ELU
from probgen.distributions.bijectors.embedded_context import EmbeddedContext
from probgen.distributions.bijectors.exponential import Exp
from probgen.distributions.bijectors.heavy_tail import HeavyTail
from probgen.distributions.bijectors.incremental import IncrementalNetwork, fork
from probgen.distributions.bijectors.independent import Independent
from probgen.distributions.bijectors.inverse import Inverse
from probgen.distributions.bijectors.kumaraswamy import KumaraswamyCDF
from probgen.distributions.bijectors.leaky_relu import LeakyReLU
from probgen.distributions.bijectors.learned_permutation import LearnedPermutation
from probgen.distributions.bijectors.lift import Lift, as_bijector
from probgen.distributions.bijectors.linear import Linear
from probgen.distributions.bijectors.lu import LULinear
from probgen.distributions.bijectors.masked_autoregressive import MaskedAutoregressive
from probgen.distributions.bijectors.mixture_cdf import MixtureOfLogisticsCDF
from probgen.distributions.bijectors.mixture_quantile import MixtureQuantile
from probgen.distributions.bijectors.monotone import DeepSigmoid, DenseSigmoid, IntegralNetwork, MonotoneNetwork
from probgen.distributions.bijectors.mu_law import MuLaw
from probgen.distributions.bijectors.normal_to_logistic import NormalToLogistic
from probgen.distributions.bijectors.orthogonal import Orthogonal
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter, real_parameter
from probgen.distributions.bijectors.partial import Partial
from probgen.distributions.bijectors.permutation import Permutation, Reverse
from probgen.distributions.bijectors.planar import Planar
from probgen.distributions.bijectors.power import Power, SignedPower
from probgen.distributions.bijectors.product_coupling import ProductCoupling, embedding_size
from probgen.distributions.bijectors.qr import Householder, QRLinear
from probgen.distributions.bijectors.radial import Radial
from probgen.distributions.bijectors.repeat import Repeat
from probgen.distributions.bijectors.reshape import Reshape
from probgen.distributions.bijectors.residual import Residual
from probgen.distributions.bijectors.rotations import CayleyRotation, EulerAngles, RotationProduct, matrix_of_quaternion
from probgen.distributions.bijectors.sigmoid import Logit, Sigmoid, Tanh
from probgen.distributions.bijectors.sinh_arcsinh import SinhArcsinh
from probgen.distributions.bijectors.softplus import Softplus
from probgen.distributions.bijectors.spectral.axis_transform import AxisTransform
from probgen.distributions.bijectors.spectral.cosine import DiscreteCosine
from probgen.distributions.bijectors.spectral.haar import HaarWavelet
from probgen.distributions.bijectors.spherical import CylinderToSphere, Stereographic
from probgen.distributions.bijectors.spherical_coordinates import SphereRotation, SphericalCoordinates
from probgen.distributions.bijectors.splines import CircularSpline, CubicSpline, LinearSpline, RationalQuadraticSpline
from probgen.distributions.bijectors.stick_breaking import StickBreaking
from probgen.distributions.bijectors.sum_of_squares import SumOfSquares
from probgen.distributions.bijectors.support import ToSupport
from probgen.distributions.bijectors.surgery import freeze, inserted, set_reversible
from probgen.distributions.bijectors.sylvester import Sylvester
from probgen.distributions.bijectors.triangular import LowerTriangular
from probgen.distributions.bijectors.wrapper import Wrapper

__all__ = [
    "ELU",
    "ActNorm",
    "Affine",
    "Along",
    "Amortized",
    "AxisTransform",
    "Bernstein",
    "Bijector",
    "BlockAutoregressive",
    "Butterfly",
    "CauchyCDF",
    "CayleyRotation",
    "CircularReflection",
    "CircularShift",
    "CircularSpline",
    "Combined",
    "Compose",
    "Concat",
    "ConditionalElementwise",
    "Conditioned",
    "ContinuousFlow",
    "Coupling",
    "CubicSpline",
    "CylinderToSphere",
    "DeepSigmoid",
    "DenseLinear",
    "DenseSigmoid",
    "DiscreteCosine",
    "Elementwise",
    "EmbeddedContext",
    "EulerAngles",
    "Exp",
    "FactorOut",
    "GumbelCDF",
    "HaarWavelet",
    "HeavyTail",
    "Householder",
    "IncrementalNetwork",
    "Independent",
    "IntegralNetwork",
    "Inverse",
    "KumaraswamyCDF",
    "LULinear",
    "LeakyReLU",
    "LearnedPermutation",
    "Lift",
    "Linear",
    "LinearSpline",
    "LocationScaleCDF",
    "LogisticCDF",
    "Logit",
    "LowerTriangular",
    "MaskedAutoregressive",
    "MaskedCoupling",
    "MixtureOfLogisticsCDF",
    "MixtureQuantile",
    "Mobius",
    "MonotoneNetwork",
    "MuLaw",
    "NormalCDF",
    "NormalToLogistic",
    "Orthogonal",
    "Parameter",
    "Partial",
    "Permutation",
    "Planar",
    "Power",
    "ProductCoupling",
    "QRLinear",
    "Radial",
    "RationalQuadraticSpline",
    "Repeat",
    "Reshape",
    "Residual",
    "Reverse",
    "RotationProduct",
    "Scale",
    "Shift",
    "Sigmoid",
    "SignedPower",
    "SinhArcsinh",
    "Softplus",
    "SphereRotation",
    "SphericalCoordinates",
    "SplitCoupling",
    "Squeeze",
    "Stack",
    "Stereographic",
    "StickBreaking",
    "SumOfSquares",
    "Sylvester",
    "Tanh",
    "ToSupport",
    "Wrapper",
    "alternating_mask",
    "as_bijector",
    "checkerboard_mask",
    "embedding_size",
    "fork",
    "freeze",
    "half_mask",
    "inserted",
    "matrix_of_quaternion",
    "positive_parameter",
    "real_parameter",
    "set_reversible",
]
