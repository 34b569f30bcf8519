"""Super-resolution in three ways: a model that was trained for it, a cascade on top of a small model, and the null space.

A conditional model sees the noised 4x4 means of a digit and how noisy they are; after a model of the means themselves it makes
a cascade, one distribution over 8x8 digits. An unconditional model restores the same digits without having been trained for it.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor

import probgen as pg
from probgen.data import Batches
from probgen.diffusion import Diffusion
from probgen.diffusion.conditioning import AveragePooling, Cascade, LinearObservation, augmented_context
from probgen.diffusion.small import centered_digits, image_diffusion


def trained(model: Diffusion, batches: Batches, steps: int) -> Diffusion:
    """Denoising loss, Adam with a falling rate."""
    pg.infer.fit(
        model.denoising_loss(),
        batches,
        partial(torch.optim.Adam, lr=3e-3),
        schedule=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps),
        steps=steps,
        clip_norm=1.0,
        progress=steps > 10,
    )
    return model.eval()


def main(argv: list[str] | None = None) -> float:
    """Train, restore, draw from the cascade, write a picture; return the root mean square error of the conditional model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    parser.add_argument("--picture", default="diffusion_super_resolution.png", help="where the picture goes")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    steps, width, calls = (2, 8, 2) if options.smoke else (600, 16, 25)
    digits, _ = centered_digits()
    pool, schedule = AveragePooling((1, 8, 8), 2), pg.diffusion.cosine_schedule()

    def with_context(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return x, augmented_context(pool.apply(x), schedule, 0.3 * torch.rand(len(x), generator=generator))

    small = trained(image_diffusion((1, 4, 4), width=width), Batches(pool.apply(digits), 64), steps)
    plain = trained(image_diffusion((1, 8, 8), width=width), Batches(digits, 64), steps)
    conditioning = pg.nn.ImageConditioning(2, 4, 4)
    large = image_diffusion((1, 8, 8), conditioning=conditioning, width=width)
    large = trained(large, Batches(digits, 64, transform=with_context), steps)

    def upsample(context: Tensor) -> Tensor:
        return large.ddim(steps=calls)(large.prior.sample((len(context),)), context)

    truth = centered_digits("test")[0][:10]
    low = pool.apply(truth)
    blocks = low.repeat_interleave(2, -1).repeat_interleave(2, -2)
    conditional = upsample(augmented_context(low, schedule, 0.02))
    restored = plain.condition(LinearObservation(low, pool), method="null space", grid=2 * calls).sample()
    errors = {}
    for name, x in (("blocks", blocks), ("conditional model", conditional), ("null space", restored)):
        errors[name] = float((x - truth).square().mean().sqrt())
        print(f"{name:18s} root mean square error {errors[name]:.3f}, |A x - y| {float((pool.apply(x) - low).abs().max()):.3f}")
    base = small.distribution(small.ddim(steps=calls))
    cascade = Cascade(base, [upsample], event_shape=(1, 8, 8), schedule=schedule)
    first, last = cascade.path((10,))
    first = first.repeat_interleave(2, -1).repeat_interleave(2, -2)
    images = torch.cat([blocks, conditional, restored, truth, first, last])
    pg.plot.image_grid(images[:, 0].clamp(-1, 1), columns=10).savefig(options.picture)
    print(f"{options.picture}: small, conditional model, null space, truth; the cascade's small and large draws")
    return errors["conditional model"]


if __name__ == "__main__":
    main()
