r"""Networks that begin with coarse images and fade finer levels in.

At stage s a generator paints on a grid that is :math:`2^s` times as fine as the coarsest, while it is mixed with the stage
before,

.. math:: x = (1 - \alpha)\, \mathrm{up}(x_{s-1}) + \alpha\, x_s,

and a critic's level likewise. :math:`\alpha` rises from 0 to 1, so a new level disturbs nothing that was learned: at 0 the
output is *exactly* that of the stage before, at 1 it is the new level's alone.

The event stays as it is: a generator repeats its pixels up to the full image, a critic averages images down to its grid, data
included. So the law, the data and the loss do not change when the networks grow.
"""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn

from probgen.nn.adversarial.condition_vector import ConditionedNetwork
from probgen.nn.conditioning import Conditioning

__all__ = ["GrowingNetwork"]


class GrowingNetwork(ConditionedNetwork, abc.ABC):
    r"""A network with stages, and a tensor that fades the last one in (abstract).

    All levels exist from the beginning, so growing keeps the weights; those of later stages get no gradient yet (torch's
    optimizers leave them alone; distributed training must be told to find unused parameters). ``state_dict`` holds the stage.

    A generator and its critic grow together:

    .. code-block:: python

        fade = Annealed(0.0, 1.0, steps=1000)  # `infer.fit` advances it
        for network in (generator, critic):
            network.grow(stage, fade)

    Args:
        grids: The grids from the image to the coarsest.
        conditioning: What turns a context into a vector; None: the network takes no context.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs for improved quality, stability, and variation.
        https://arxiv.org/abs/1710.10196

    Example:
        >>> from probgen.nn import ProgressiveGenerator
        >>> generator = ProgressiveGenerator((3, 32, 32), 16, channels=8)
        >>> generator.resolution
        (32, 32)
        >>> generator.grow(1, fade=0.5)
        >>> generator.resolution
        (8, 8)
    """

    fade: Tensor

    def __init__(self, grids: list[tuple[int, int]], conditioning: Conditioning | None = None) -> None:
        super().__init__(conditioning)
        self.grids = grids[::-1]  # by stage
        self.stage = len(grids) - 1
        self.register_buffer("fade", torch.ones(()))
        self.schedule: nn.Module | None = None

    @property
    def stages(self) -> int:
        """How many stages there are."""
        return len(self.grids)

    @property
    def resolution(self) -> tuple[int, int]:
        """The grid of the present stage, ``(h, w)``."""
        return self.grids[self.stage]

    def grow(self, stage: int, fade: float | Tensor | nn.Module = 1.0) -> None:
        """Go to a stage; a new network is at the last.

        Args:
            stage: 0 for the coarsest grid, up to ``stages - 1`` for the image's own.
            fade: How much of the new level is shown, in [0, 1]: a number, a scalar tensor (never read, only copied), or a
                module that returns one whenever it is called, such as ``infer.Annealed(0.0, 1.0, steps)``.

        Raises:
            ValueError: there is no such stage, or a number outside [0, 1].
        """
        if not 0 <= stage < self.stages:
            raise ValueError(f"`stage` must be one of 0, ..., {self.stages - 1}; got {stage}.")
        if isinstance(fade, (int, float)) and not 0.0 <= fade <= 1.0:
            raise ValueError(f"`fade` must lie in [0, 1]; got {fade}.")
        self.stage = stage
        self.schedule = fade if isinstance(fade, nn.Module) else None
        with torch.no_grad():
            if isinstance(fade, Tensor):
                self.fade.copy_(fade)
            elif not isinstance(fade, nn.Module):
                self.fade.fill_(fade)

    def _faded(self, before: Tensor, new: Tensor) -> Tensor:
        """The two mixed: exactly ``before`` at 0, exactly ``new`` at 1."""
        fade = self.fade if self.schedule is None else self.schedule()
        return torch.lerp(before, new, fade.to(new.dtype))

    def get_extra_state(self) -> Tensor:
        """The stage, for ``state_dict``."""
        return torch.tensor(self.stage)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the stage."""
        self.stage = int(state)
