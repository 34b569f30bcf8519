"""Surjections: maps that forget, with a law of what they forgot; and distributions made of them and of bijectors.

``Surjection`` is the contract of a function with a law of its preimages, ``f.inv`` exchanges the two, and
``SurjectiveDistribution`` is the law of the data. This package does not train; networks come in as laws of remainders
(``NetworkLaw``, ``FlowPosterior``).
"""

from probgen.distributions.surjections.absolute_value import AbsoluteValue
from probgen.distributions.surjections.argmax import Argmax
from probgen.distributions.surjections.columns import CategoricalColumn, Column, ContinuousColumn
from probgen.distributions.surjections.composed_map import BijectiveMap, ComposedMap, as_map
from probgen.distributions.surjections.distribution import SurjectiveDistribution, SurjectiveLaw
from probgen.distributions.surjections.integer_column import IntegerColumn
from probgen.distributions.surjections.max_pool import MaxPool
from probgen.distributions.surjections.mixed_columns import MixedColumns
from probgen.distributions.surjections.push_forward import PushForward
from probgen.distributions.surjections.reversed_map import ReversedMap
from probgen.distributions.surjections.rounding import Integers, Rounding, integers
from probgen.distributions.surjections.slice import Slice
from probgen.distributions.surjections.sort import Increasing, Sort, increasing
from probgen.distributions.surjections.stochastic_layer import StochasticLayer
from probgen.distributions.surjections.stochastic_map import StochasticMap
from probgen.distributions.surjections.surjection import Surjection
from probgen.distributions.surjections.table import ColumnKind, columns_of

__all__ = [
    "AbsoluteValue",
    "Argmax",
    "BijectiveMap",
    "CategoricalColumn",
    "Column",
    "ColumnKind",
    "ComposedMap",
    "ContinuousColumn",
    "Increasing",
    "IntegerColumn",
    "Integers",
    "MaxPool",
    "MixedColumns",
    "PushForward",
    "ReversedMap",
    "Rounding",
    "Slice",
    "Sort",
    "StochasticLayer",
    "StochasticMap",
    "Surjection",
    "SurjectiveDistribution",
    "SurjectiveLaw",
    "as_map",
    "columns_of",
    "increasing",
    "integers",
]
