"""Elements: from the numbers that a network gives to the law of a coordinate, and the laws made of them."""

from probgen.distributions.elements.bernoulli import BernoulliElement
from probgen.distributions.elements.categorical import CategoricalElement
from probgen.distributions.elements.continuous_bernoulli import ContinuousBernoulliElement
from probgen.distributions.elements.discretized import DiscretizedLogisticElement, DiscretizedNormalElement
from probgen.distributions.elements.discretized_mixture import DiscretizedLogisticMixtureElement
from probgen.distributions.elements.element import Element
from probgen.distributions.elements.element_grid import ElementGrid
from probgen.distributions.elements.location_scale import LocationScaleElement
from probgen.distributions.elements.network_law import NetworkLaw
from probgen.distributions.elements.normal import NormalElement
from probgen.distributions.elements.tempered import TemperedElement
from probgen.distributions.elements.truncated import MinPElement, TopKElement, TopPElement, TruncatedElement

__all__ = [
    "BernoulliElement",
    "CategoricalElement",
    "ContinuousBernoulliElement",
    "DiscretizedLogisticElement",
    "DiscretizedLogisticMixtureElement",
    "DiscretizedNormalElement",
    "Element",
    "ElementGrid",
    "LocationScaleElement",
    "MinPElement",
    "NetworkLaw",
    "NormalElement",
    "TemperedElement",
    "TopKElement",
    "TopPElement",
    "TruncatedElement",
]
