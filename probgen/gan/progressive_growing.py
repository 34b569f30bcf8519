r"""Progressive growing: generator and critic begin with coarse images and fade finer levels in.

For stages :math:`s = 0, \dots, S - 1` of :math:`n` turns each, turn :math:`t` stands at

.. math:: s = \min\bigl(\lfloor t / n \rfloor,\, S - 1\bigr), \qquad
    \alpha = \min\Bigl(1,\, \frac{t - s n}{\rho\, n}\Bigr) \ \text{for}\ s > 0,

so in the first share :math:`\rho` of a stage its level is faded in, in the rest it is trained as it is. The event, the data
and the loss never change: a generator repeats its pixels, a critic averages them away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from probgen.gan.parts import GAN, law_of, own_conditioning, packed_shape
from probgen.infer.callbacks import Callback
from probgen.nn import Conditioning
from probgen.nn.adversarial import GrowingNetwork, ProgressiveCritic, ProgressiveGenerator
from probgen.nn.adversarial.layers import OutputRange

if TYPE_CHECKING:
    from probgen.infer.training import Training

__all__ = ["Growing", "progressive_gan"]


def progressive_gan(
    image_shape: Sequence[int],
    noise_features: int = 128,
    *,
    channels: int = 64,
    multipliers: Sequence[int] | None = None,
    output: OutputRange = "identity",
    deviation_group: int = 4,
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """A generator and a critic that grow; train them with ``Growing`` among the callbacks of ``infer.fit``.

    The paper trains with ``Wasserstein(gradient_penalty=10.0)``, Adam at a learning rate of 1e-3 and betas of (0, 0.99), and
    draws from an ``EMA`` of the law.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise; only its direction counts.
        channels: Channels of the two finest stages.
        multipliers: Channels of the stages, one halving each; None: until the grid is about 4 x 4.
        output: Range of the images; as in the paper none, "tanh" for [-1, 1].
        deviation_group: Size of the groups whose standard deviation the critic sees; 0: none.
        packing: Images that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector, such as ``ClassConditioning(10)``; the critic gets a copy.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs for improved quality, stability, and variation.
        https://arxiv.org/abs/1710.10196

    Example:
        >>> import probgen as pg
        >>> law, critic = pg.gan.progressive_gan((1, 16, 16), 8, channels=8)
        >>> critic(law().sample((4,))).shape
        torch.Size([4, 1])
    """
    generator = ProgressiveGenerator(
        image_shape, noise_features, channels=channels, multipliers=multipliers, output=output, conditioning=conditioning
    )
    critic = ProgressiveCritic(
        packed_shape(image_shape, packing),
        channels=channels,
        multipliers=multipliers,
        deviation_group=deviation_group,
        conditioning=own_conditioning(conditioning, packing),
    )
    return GAN(law_of(generator, noise_features, image_shape, conditioning), critic)


class Growing(Callback):
    """Grows networks while they are trained: a callback of ``infer.fit``.

    What it does is a function of the number of turns alone, so a run that is resumed goes on exactly. When training is over the
    networks stay where they are.

    Args:
        networks: Generator and critic; all must have the same number of stages.
        turns: Turns of a stage, of all players together.
        fade_share: The share of a stage in which its level is faded in, in [0, 1].

    Raises:
        ValueError: the networks have different numbers of stages, or a number is out of its range.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> law, critic = pg.gan.progressive_gan((1, 8, 8), 4, channels=4)
        >>> growing = pg.gan.Growing([law.generator, critic], turns=4)
        >>> [growing.stage_and_fade(turn) for turn in (0, 3, 4, 5, 6, 100)]
        [(0, 1.0), (0, 1.0), (1, 0.0), (1, 0.5), (1, 1.0), (1, 1.0)]
        >>> loss = pg.infer.Adversarial(pg.infer.NonSaturating())(law, critic)
        >>> _ = pg.infer.fit(loss, [torch.zeros(4, 1, 8, 8)], steps=3, callbacks=[growing], progress=False)
        >>> law.generator.resolution, law().event_shape
        ((4, 4), torch.Size([1, 8, 8]))
    """

    def __init__(self, networks: Sequence[GrowingNetwork], *, turns: int, fade_share: float = 0.5) -> None:
        self.networks = tuple(networks)
        stages = {network.stages for network in self.networks}
        if len(stages) != 1:
            raise ValueError(f"`networks` must all have the same number of stages; got {sorted(stages)}.")
        if turns < 1 or not 0.0 <= fade_share <= 1.0:
            raise ValueError(f"`turns` must be positive and `fade_share` in [0, 1]; got {turns} and {fade_share}.")
        self.stages = stages.pop()
        self.turns, self.fade_share = turns, fade_share

    def stage_and_fade(self, turn: int) -> tuple[int, float]:
        """Where training stands after so many turns."""
        stage = min(turn // self.turns, self.stages - 1)
        since, needed = turn - stage * self.turns, self.fade_share * self.turns
        return stage, min(1.0, since / needed) if stage and needed else 1.0

    def on_fit_start(self, training: Training) -> None:
        """Bring the networks to where training stands."""
        self._grow(training.step)

    def on_step_end(self, training: Training) -> None:
        """A little further."""
        self._grow(training.step)

    def _grow(self, turn: int) -> None:
        stage, fade = self.stage_and_fade(turn)
        for network in self.networks:
            network.grow(stage, fade)
