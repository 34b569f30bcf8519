r"""The plate around a batch of data, without what a batch that is all of the data does not need.

``pyro.plate`` draws the indices of a subsample, here all of them, and expands the law of every site anew, also one that has its
size already, as a law made by a network from the data does. Both cost more than a small network. A site is scored alike:
:math:`\log p(x_{1:n}) = \sum_i \log p(x_i)`, with the batch shape ``[n]`` and the frame "data" in its stack.
"""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro.poutine.broadcast_messenger import BroadcastMessenger
from pyro.poutine.indep_messenger import IndepMessenger
from torch import Tensor

__all__ = ["DataPlate", "data_plate"]


class DataPlate(IndepMessenger):
    """The rightmost plate, "data", of a batch; it expands laws that do not have its size.

    Args:
        number: How many data; none are allowed, other than in Pyro's plates.

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> from probgen.infer.data_plate import DataPlate
        >>> with DataPlate(3):
        ...     z = pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> z.shape
        torch.Size([3])
    """

    def __init__(self, number: int) -> None:
        super().__init__("data", max(number, 1), dim=-1)
        self.size = number

    def _process_message(self, msg: Any) -> None:
        super()._process_message(msg)
        if msg["type"] == "sample" and getattr(msg["fn"], "batch_shape", ())[-1:] != (self.size,):
            BroadcastMessenger._pyro_sample(msg)


def data_plate(given: Tensor | None, size: int | None, like: Tensor) -> Any:
    """The plate "data" of a program.

    Args:
        given: What there is one of for each datum, ``[n, ...]``; None to generate.
        size: Size N of the plate: with data, that of the whole data set, of which the batch is n (their terms weigh N/n); by
            default n. Without data how many are generated; by default 1.
        like: Knows the device.

    Raises:
        ValueError: ``size`` is less than the number of data.

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.infer.data_plate import data_plate
        >>> x = torch.zeros(5)
        >>> with pyro.poutine.trace() as recorded, data_plate(x, 100, like=x):
        ...     _ = pyro.sample("x", dist.Normal(0.0, 1.0), obs=x)
        >>> recorded.trace.nodes["x"]["scale"]
        20.0
    """
    count = (1 if size is None else size) if given is None else len(given)
    if not count or size is None or size == count:
        return DataPlate(count)
    if size < count:
        raise ValueError(f"`size` must be at least the number of data, {count}; got {size}.")
    return pyro.plate("data", size, subsample=torch.arange(count, device=like.device), dim=-1)
