"""The trained models that ship with the library: their cards, and their draws of every digit side by side.

python examples/five_models.py             seconds; writes out/five_models.png
python examples/five_models.py --smoke     fewer draws

A row of the picture is a family; what each one scores stands on its card. Nothing is trained here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from probgen.plot import image_grid, table
from probgen.pretrained import load_pretrained, pretrained_card, pretrained_names

DRAW: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "glow-digits": lambda model, labels: model(one_hot(labels, 10).float()).sample() / 8 - 1,
    "pixel-cnn-digits": lambda model, labels: model(one_hot(labels, 10).float()).sample(),
    "vae-digits": lambda model, labels: model.distribution(one_hot(labels, 10).float()).sample(),
    "diffusion-digits": lambda model, labels: model.dpm_solver(steps=20)(model.prior.sample((len(labels),)), labels),
    "gan-digits": lambda model, labels: model(labels).sample(),
}


@torch.no_grad()
def draws_of(name: str, labels: Tensor) -> tuple[Tensor, float]:
    """Images ``[n, 8, 8]`` in [-1, 1] for labels, and the processor seconds that they took."""
    model, begin = load_pretrained(name), time.process_time()
    x = DRAW[name](model, labels).reshape(-1, 8, 8)
    return x.clamp(-1, 1), time.process_time() - begin


def main(argv: list[str] | None = None) -> dict[str, Tensor]:
    """Load, draw, print, save; return the draws of each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=100, help="draws of each digit")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the picture")
    parser.add_argument("--smoke", action="store_true", help="two draws of each digit")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    labels = torch.arange(10).repeat(2 if options.smoke else options.each)
    made, rows = {}, []
    for name in pretrained_names():
        print(f"{pretrained_card(name)}\n")
        made[name], seconds = draws_of(name, labels)
        bits = pretrained_card(name).scores["bits/dim, given the class"].split(",")[0].split(":")[0]
        rows.append([name, bits, f"{1000 * seconds / len(labels):.2f}"])
    print(table(["model", "test bits/dim", "CPU s for 1000 draws"], rows))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        picture = image_grid(torch.cat([x[:20] for x in made.values()]), columns=20)
        picture.savefig(options.out / "five_models.png", dpi=110)
    except ImportError as error:
        print(error)
    return made


if __name__ == "__main__":
    main()
