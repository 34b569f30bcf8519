"""How much work a run of the demo does, and where."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How much work to do.

    Attributes:
        data: "digits" or "fashion-mnist".
        device: "cpu" or "cuda": where models are trained and evaluated. Data and figures stay on the CPU.
        steps: Training steps; each entry takes its own share of them.
        toy_steps: Training steps of each two-dimensional flow.
        draws: Dequantizations over which every test density is averaged.
        train_images: The most training images that are used.
        test_images: The most test images that are scored, and as many draws are judged.
        classified: The most test images that are classified by Bayes' rule and compared with outliers.
        samples: Samples for reweighting and for speed.
        round_trips: Test images that are encoded and decoded.
        features: Numbers by which the classifier of the judge describes an image.
        sampler_steps: Of diffusion.
        moves: How long chains are that complete images.
        toys: How many two-dimensional laws to fit.
        seed: Fixes everything but the seconds.
        width: Channels of networks on images.
        clock: "wall", or "processor" for seconds on a machine that does other work too.
        stand_in: Whether enlarged digits will do where the data are not here.

    Raises:
        ValueError: the device is not there, or a count is not positive.

    Example:
        >>> from probgen.demo import Settings
        >>> Settings.smoke().steps < Settings().steps == 800
        True
        >>> Settings.of("fashion-mnist").test_images
        500
    """

    data: str = "digits"
    device: str = "cpu"
    steps: int = 800
    toy_steps: int = 400
    draws: int = 4
    train_images: int = 50_000
    test_images: int = 1000
    classified: int = 1000
    samples: int = 2000
    round_trips: int = 100
    features: int = 64
    sampler_steps: int = 12
    moves: int = 100
    toys: int = 6
    seed: int = 0
    width: int = 32
    clock: str = "wall"
    stand_in: bool = False

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"`device` must be 'cpu' or 'cuda'; got {self.device!r}.")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("`device` must be one that is here: this machine or this build of torch has no CUDA; take 'cpu'.")
        if self.clock not in ("wall", "processor"):
            raise ValueError(f"`clock` must be 'wall' or 'processor'; got {self.clock!r}.")
        for name, value in vars(self).items():
            if isinstance(value, int) and name not in ("toys", "seed", "stand_in") and value < 1:
                raise ValueError(f"`{name}` must be at least 1; got {value}.")

    def now(self) -> float:
        """Seconds on the clock."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() if self.clock == "wall" else time.process_time()

    @classmethod
    def of(cls, data: str) -> Settings:
        """The settings for a data set.

        Args:
            data: Larger images than the digits get fewer dequantizations, scored images and draws.
        """
        if data == "digits":
            return cls()
        return cls(
            data=data,
            draws=1,
            test_images=500,
            classified=200,
            samples=500,
            round_trips=16,
            sampler_steps=20,
            toys=0,
            width=24,
        )

    @classmethod
    def smoke(cls, data: str = "digits") -> Settings:
        """A few steps of everything, to see that it runs.

        Args:
            data: As in ``of``.
        """
        small = cls(
            data=data,
            steps=20,
            toy_steps=5,
            draws=1,
            test_images=100,
            classified=50,
            samples=100,
            round_trips=10,
            sampler_steps=4,
            moves=3,
            toys=2,
            width=8,
        )
        if data == "digits":
            return small
        return replace(
            small,
            steps=4,
            train_images=1000,
            test_images=24,
            classified=4,
            samples=8,
            round_trips=1,
            features=16,
            toys=0,
            stand_in=True,
        )
