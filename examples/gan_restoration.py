"""The generator as a prior: digits of which only a part was seen, restored through the noise of a trained generator.

python examples/gan_restoration.py            a minute of training, then 24 test digits under four operators
python examples/gan_restoration.py --smoke    seconds

A DCGAN is trained on the 8x8 digits. Then a test digit is seen through an operator A with a little noise: whole (inversion),
without its lower half (inpainting), as means of 2x2 pixels (super-resolution), in a quarter of its pixels. What the generator
would have made is a law p(z | y): modes are found by descent from many starts, draws by annealing. Printed are the errors of
the best mode and of the mean of the draws, where the pixels were seen and where not, beside those of the mean training digit;
what remains where all was seen is the range error: digits that the generator does not make.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

import probgen as pg
from probgen.data import Batches, load_digits
from probgen.distributions import ImplicitLaw
from probgen.infer import EMA, R1, Adversarial, NonSaturating, TimeBudget, fit
from probgen.plot import table

NOISE, SIGMA = 16, 0.1


def trained(x: Tensor, seconds: float, *, smoke: bool) -> ImplicitLaw:
    """A DCGAN without batch normalization, with averaged weights."""
    law, critic = pg.gan.dcgan((1, 8, 8), NOISE, channels=16, normalization="none", critic_normalization="none")
    loss = Adversarial(NonSaturating(), penalties=[R1(1.0)], penalty_share=0.25)(law, critic)
    budget, average = TimeBudget(seconds), EMA(law, 0.995)
    fit(
        loss,
        Batches((x,), 64, seed=0, drop_last=True),
        lambda weights: torch.optim.Adam(weights, 1e-3, betas=(0.0, 0.99), fused=True),
        steps=10 if smoke else 1_000_000,
        schedule=budget.schedule,
        ema=average,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    return law.eval().requires_grad_(requires_grad=False)


def means_of_blocks(x: Tensor) -> Tensor:
    """Means of 2x2 pixels, ``[*batch, 1, 4, 4]``."""
    return functional.avg_pool2d(x.reshape(-1, 1, 8, 8), 2).reshape(*x.shape[:-2], 4, 4)


def operators() -> dict[str, tuple[Callable[[Tensor], Tensor] | None, Tensor]]:
    """Name to what is observed of an image, and a mask of the pixels that count as seen."""
    seen = torch.zeros(3, 8, 8, dtype=torch.bool)
    seen[0], seen[1, :4] = True, True
    seen[2].view(-1)[torch.randperm(64, generator=torch.Generator().manual_seed(1))[:16]] = True
    return {
        "everything": (None, seen[0]),
        "the upper half": (lambda x: x[..., :4, :], seen[1]),
        "means of 2x2 pixels": (means_of_blocks, seen[0]),
        "a quarter of the pixels": (lambda x: x.flatten(-2)[..., seen[2].flatten()], seen[2]),
    }


def error(x: Tensor, truth: Tensor, mask: Tensor) -> str:
    """Root mean square difference of a pixel in the mask; pixels in [-1, 1]."""
    return f"{float((x - truth)[..., mask].square().mean().sqrt()):.3f}" if mask.any() else "n/a"


def main(argv: list[str] | None = None) -> list[list[str]]:
    """Train, restore, print; return the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of the processor")
    parser.add_argument("--smoke", action="store_true", help="a few turns, two digits")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits = load_digits()
    x, test = ((split.x.float() / 8 - 1).unsqueeze(1) for split in (digits.train, digits.test))
    law = trained(x, options.seconds, smoke=options.smoke)()
    count, restarts, steps = (2, 2, 5) if options.smoke else (24, 16, 100)
    truth, rows = test[:count], []
    for name, (operator, mask) in operators().items():
        clean = truth if operator is None else operator(truth)
        y = clean + SIGMA * torch.randn_like(clean)
        found = pg.gan.invert(law, y, operator, noise=SIGMA, observed_shape=y.shape[1:], num_restarts=restarts, num_steps=steps)
        means = {"best mode": found.restored(), "mean of draws": found.sample(16).mean(0), "mean digit": x.mean(0)}
        rows += [[name, way, error(made, truth, mask), error(made, truth, ~mask)] for way, made in means.items()]
    print(table(["seen", "restored by", "error, seen pixels", "error, other pixels"], rows))
    return rows


if __name__ == "__main__":
    main()
