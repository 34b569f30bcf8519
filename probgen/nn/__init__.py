"""Networks: what maps tensors to tensors. They know no distribution and no objective."""

from probgen.nn.made import MADE
from probgen.nn.mlp import MLP

__all__ = ["MADE", "MLP"]
