r"""The plate around a batch of data, without what a batch that is all of the data does not need.

``pyro.plate`` draws the indices of a subsample, here all of them, and expands the law of every site anew, also one that has its
size already, as a law made by a network from the data does. Both cost more than a small network. A site is scored alike:
:math:`\log p(x_{1:n}) = \sum_i \log p(x_i)`, with the batch shape ``[n]`` and the frame "data" in its stack.
"""

from __future__ import annotations

from typing import Any

from pyro.poutine.broadcast_messenger import BroadcastMessenger
from pyro.poutine.indep_messenger import IndepMessenger

__all__ = ["DataPlate"]


class DataPlate(IndepMessenger):
    """The rightmost plate, "data", of a batch; it expands laws that do not have its size.

    Args:
        number: How many data, at least one.

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> from probgen.vae.data_plate import DataPlate
        >>> with DataPlate(3):
        ...     z = pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> z.shape
        torch.Size([3])
    """

    def __init__(self, number: int) -> None:
        super().__init__("data", number, dim=-1)

    def _process_message(self, msg: Any) -> None:
        super()._process_message(msg)
        if msg["type"] == "sample" and getattr(msg["fn"], "batch_shape", ())[-1:] != (self.size,):
            BroadcastMessenger._pyro_sample(msg)
