"""Guidance: one diffusion model of the digits with and without labels, or captions, and the strength between and beyond them.

Scale 0 ignores the label, 1 is the conditional model, more extrapolates: certainty for variety. With `--text` the labels are
captions ("a four", "an even number") that a small transformer reads and the U-Net attends to.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor

import probgen as pg
from probgen.data import DIGIT_WORDS, Batches, CaptionVocabulary, digit_captions
from probgen.diffusion.conditioning import ClassifierFree
from probgen.diffusion.small import centered_digits, image_diffusion
from probgen.nn import ClassConditioning, Conditioning, TextConditioning


def contexts(labels: Tensor, *, text: bool) -> tuple[Conditioning, Tensor, Tensor]:
    """What the network reads, the contexts of the training digits, and those of the digits zero to nine."""
    if not text:
        return ClassConditioning(10, features=64), labels, torch.arange(10)
    captions = digit_captions(labels, torch.Generator().manual_seed(0))
    vocabulary = CaptionVocabulary(captions)
    reader = TextConditioning(len(vocabulary), vocabulary.length, width=32, layers=1, heads=2)
    return reader, vocabulary.encode(captions), vocabulary.encode([f"a {word}" for word in DIGIT_WORDS])


def main(argv: list[str] | None = None) -> float:
    """Train, draw at several scales, write a picture; return the share of digits that are the wanted ones at scale 2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    parser.add_argument("--text", action="store_true", help="captions instead of labels")
    parser.add_argument("--picture", default="diffusion_guidance.png", help="where the picture goes")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    digits, labels = centered_digits()
    conditioning, known, wanted = contexts(labels, text=options.text)
    steps, width, copies = (2, 8, 1) if options.smoke else (900, 16, 20)
    d = image_diffusion((1, 8, 8), conditioning=conditioning, width=width)
    pg.infer.fit(
        d.denoising_loss(context_dropout=0.15),
        Batches((digits, known), 64),
        partial(torch.optim.Adam, lr=3e-3),
        schedule=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps),
        steps=steps,
        clip_norm=1.0,
        progress=not options.smoke,
    )
    d.eval()
    noise = d.prior.sample((10 * copies,))
    targets = torch.arange(10).repeat_interleave(copies)
    share, rows = {}, []
    for scale in (0.0, 1.0, 2.0, 4.0):
        sampler = d.ddim(steps=2 if options.smoke else 25, denoiser=ClassifierFree(d.denoiser, scale))
        drawn = sampler(noise, wanted.repeat_interleave(copies, 0))
        near = torch.cdist(drawn.flatten(1), digits.flatten(1)).topk(5, largest=False).indices
        share[scale] = float((labels[near].mode(1).values == targets).float().mean())
        spread = float(drawn.reshape(10, copies, -1).std(1, correction=0).mean())
        print(f"scale {scale:g}: {share[scale]:.2f} look like the digit asked for; standard deviation of a pixel {spread:.2f}")
        rows.append(drawn[::copies])
    pg.plot.image_grid(torch.cat(rows)[:, 0].clamp(-1, 1), columns=10).savefig(options.picture)
    print(f"{options.picture}: one row for each scale, the same noise in all")
    return share[2.0]


if __name__ == "__main__":
    main()
