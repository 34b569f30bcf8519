"""Diffusion on MNIST or Fashion-MNIST as far as a CPU gets in ten minutes: bits/dim in three ways, samples after few steps.

PROBGEN_DATA=folder python examples/mnist_diffusion.py --data mnist --minutes 10
python examples/mnist_diffusion.py --smoke     seconds; without the data, on the embedded digits enlarged to 28x28
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_fashion_mnist, load_mnist, load_or_stand_in
from probgen.demo import Judge, Measured, flow_bits, noise_table, software, solver_table
from probgen.diffusion import Diffusion, TimeGrid, bound_estimate, cosine_schedule
from probgen.diffusion.continuous_estimate import log_uniform_times
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder
from probgen.infer import TimeBudget, fit
from probgen.metrics import bits_per_dim, train_classifier_features
from probgen.nn import ClassConditioning, UNet
from probgen.plot import image_grid

LEVELS = Quantization(256, -1.0, 1.0)


class Bound(nn.Module):
    """The bound in nats a dimension, at one time for every image; labels are dropped at a rate of 0.1."""

    def __init__(self, diffusion: Diffusion) -> None:
        super().__init__()
        self.loss = diffusion.denoising_loss("likelihood", times=log_uniform_times(diffusion), context_dropout=0.1)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """The loss of a batch."""
        return self.loss(x, label)


def load(name: str, *, smoke: bool) -> tuple[str, list[tuple[Tensor, Tensor]]]:
    """The name of the data; training and test images ``[n, 1, 28, 28]`` at the centers of 256 levels, with labels."""
    found = load_or_stand_in(load_mnist if name == "mnist" else load_fashion_mnist, stand_in=smoke)
    splits = [(s.x.unsqueeze(1), s.labels) for s in (found.train, found.test)]
    name = found.name if found.name == "enlarged digits" else name
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(y), generator=generator) for _, y in splits]
    return name, [(LEVELS.decode(x[order].long()), y[order]) for (x, y), order in zip(splits, orders, strict=True)]


def build(*, smoke: bool) -> Diffusion:
    """A U-Net on three resolutions with attention on the coarsest; the chain from a log-SNR of 12 to -9."""
    schedule = cosine_schedule()
    network = UNet(
        (1, 28, 28),
        width=8 if smoke else 16,
        multipliers=(1, 2, 4),
        blocks=1,
        attention=(2,),
        conditioning=ClassConditioning(10),
    )
    stop, start = (float(schedule.t_of_log_snr(value)) for value in (12.0, -9.0))
    grid = TimeGrid.log_snr(schedule, 50 if smoke else 1000, stop, start)
    return Diffusion(network, schedule, (1, 28, 28), grid, decoder=DiscretizedDecoder(LEVELS))


def train(diffusion: Diffusion, data: tuple[Tensor, Tensor], minutes: float, *, smoke: bool) -> int:
    """Train for a time (or, as a smoke test, three steps); return how many steps that were."""
    budget = TimeBudget(60 * minutes, warm_up=0.05, clock=time.perf_counter)
    history = fit(
        Bound(diffusion),
        Batches(data, 16 if smoke else 64, seed=0, drop_last=True),
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3),
        steps=3 if smoke else 1_000_000,
        schedule=budget.schedule,
        clip_norm=1.0,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    diffusion.eval()
    return len(history.losses)


def trained_model(data: tuple[Tensor, Tensor], options: argparse.Namespace) -> tuple[Diffusion, str]:
    """A model trained now, and written beside the figures, or one from an earlier run; and how it was trained."""
    if options.trained is not None:
        return pg.load(options.trained), f"Model of {options.trained.name}"
    diffusion, begin = build(smoke=options.smoke), time.perf_counter()
    steps = train(diffusion, data, options.minutes, smoke=options.smoke)
    seconds = time.perf_counter() - begin
    options.out.mkdir(parents=True, exist_ok=True)
    pg.save(diffusion, options.out / f"diffusion_{options.data}.safetensors")
    return diffusion, f"{steps} steps of {16 if options.smoke else 64} images in {seconds:.0f} s"


def bits_table(diffusion: Diffusion, x: Tensor, label: Tensor, train_x: Tensor, train_label: Tensor) -> list[list[str]]:
    """Bounds and probability flow."""
    null = torch.full_like(label, 10)
    rows = []
    for name, images, context in (
        ("bound, by class", x, label),
        ("bound, unconditional", x, null),
        ("bound, by class, training images", train_x, train_label),
    ):
        nats = bound_estimate(diffusion, images, context, num_draws=8, decoder_draws=2, rows=512)
        rows.append([f"{name}, {len(x)} images", f"<= {bits_per_dim(-nats, 784)}"])
    some = slice(0, 64)
    found = flow_bits(diffusion, x[some], label[some], LEVELS, steps=10)
    rows.append([f"probability flow to the decoder, by class, {len(x[some])} images", f"<= {found.decoder}"])
    rows.append([f"probability flow, uniform dequantization, by class, {len(x[some])} images", f"<= {found.uniform}"])
    return rows


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("mnist", "fashion"), default="mnist")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time")
    parser.add_argument("--trained", type=Path, help="a model that an earlier run has written; it is measured, not trained")
    parser.add_argument("--samples", type=int, default=200, help="samples of each sampler")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--full", action="store_true", help="samples of 1000 steps too: ten minutes more")
    parser.add_argument("--smoke", action="store_true", help="three steps, few images")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    name, (real, held_out) = load(options.data, smoke=options.smoke)
    diffusion, trained = trained_model(real, options)
    size = sum(parameter.numel() for parameter in diffusion.parameters())
    found = Measured(f"Diffusion on {name}, 28x28")
    found.conditions = [
        f"{trained}, {size:,} parameters; {software()}.",
        options.condition,
    ]
    print(found.conditions[0], flush=True)
    count = 8 if options.smoke else 500
    parts = (held_out[0][:count], held_out[1][:count], real[0][:count], real[1][:count])
    print(found.add("Bits per dimension.", ["how", "bits/dim"], bits_table(diffusion, *parts)), flush=True)
    extractor = train_classifier_features(
        *(column[:10_000] for column in real),
        test=tuple(column[:2000] for column in held_out),
        name=f"{name} classifier",
        num_features=32,
        steps=10 if options.smoke else 600,
    )
    n = 40 if options.smoke else options.samples
    judge = Judge(real[0][:10_000], held_out[0][:n], extractor, lambda x: LEVELS.snap(x.clamp(-1, 1)))
    noise, labels = diffusion.prior.sample((n,)), held_out[1][:n]
    floor = judge(held_out[0][n : 2 * n])
    caption = f"Fréchet distance, {n} samples by class; {floor.extractor}; real images: {floor.floor}."
    plan = {"steps": (2, 3), "etas": (0.0,)} if options.smoke else {"etas": (0.0, 1.0)}
    print(found.add(f"DDIM. {caption}", *noise_table(diffusion, noise, labels, judge, **plan)), flush=True)
    print(
        found.add(
            f"Samplers. {caption}",
            *solver_table(diffusion, noise, labels, judge, evaluations=(5, 10) if not options.smoke else (5,)),
        ),
        flush=True,
    )
    if options.full:
        whole = noise_table(diffusion, noise, labels, judge, steps=(1000,), etas=(0.0, 1.0))
        print(found.add(f"The whole chain. {caption}", *whole), flush=True)
    found.write(options.out / f"diffusion_{name.replace(' ', '_')}.json")
    try:
        images = diffusion.dpm_solver(20)(diffusion.prior.sample((50,)), torch.arange(10).repeat_interleave(5))
        image_grid(images[:, 0].clamp(-1, 1), columns=10).savefig(
            options.out / f"diffusion_{name.replace(' ', '_')}.png", dpi=110
        )
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
