"""Inpainting as conditioning: the lower half of digits, by every method behind one interface, and what each is worth.

First the plane, where the answer is known: every method's bias is measured, and twisted sequential Monte Carlo has none. Then a
diffusion model of the 8x8 digits, which was trained without knowing what would be missing.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch

import probgen as pg
from probgen.data import Batches
from probgen.diffusion.conditioning import Masking, observe, restoration_table
from probgen.diffusion.small import centered_digits, image_diffusion


def main(argv: list[str] | None = None) -> float:
    """Print the table, train, restore, write a picture; return the largest disagreement with what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="fewer draws and steps")
    parser.add_argument("--picture", default="diffusion_inpainting.png", help="where the picture goes")
    options = parser.parse_args(argv)

    print("x1 was seen to be 1; x2 is then N(0.900, 0.436^2)\nmethod                      x1   mean x2   sd x2   label")
    for row in restoration_table(200 if options.smoke else 4000):
        print(row)

    torch.manual_seed(0)
    steps, width = (2, 8) if options.smoke else (800, 16)
    digits, _ = centered_digits()
    d = image_diffusion((1, 8, 8), width=width)
    pg.infer.fit(
        d.denoising_loss(),
        Batches(digits, 64),
        partial(torch.optim.Adam, lr=3e-3),
        schedule=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps),
        steps=steps,
        clip_norm=1.0,
        progress=not options.smoke,
    )
    d.eval()
    truth = centered_digits("test")[0][: 2 if options.smoke else 10]
    mask = Masking((torch.arange(8) < 4).unsqueeze(-1).expand(1, 8, 8))
    seen = observe(truth, mask)
    grid, particles = (3, 2) if options.smoke else (50, 16)
    methods = {
        "null space": {"grid": grid},
        "repaint": {"grid": max(grid // 5, 2)},
        "smc": {"grid": grid, "particles": particles, "proposal": "conjugate"},
    }
    rows, disagreement = [torch.where(mask.mask, truth, -1.0)], 0.0
    for name, chosen in methods.items():
        law = d.condition(seen, method=name, **chosen)
        restored = law.sample()
        off = float(seen.residual(restored).abs().max())
        disagreement = max(disagreement, off)
        print(f"{name:16s} |A x - y| at most {off:.1e}; {law.bias}")
        rows.append(restored)
    pg.plot.image_grid(torch.cat([*rows, truth])[:, 0].clamp(-1, 1), columns=len(truth)).savefig(options.picture)
    print(f"{options.picture}: seen; {', '.join(methods)}; truth")
    return disagreement


if __name__ == "__main__":
    main()
