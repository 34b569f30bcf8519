"""Variational autoencoders on MNIST or Fashion-MNIST, binarized anew at every visit, after ten minutes of one core's time.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/mnist_vae.py --model vae --data mnist --minutes 10
python examples/mnist_vae.py --smoke     seconds; without the data, on the embedded digits enlarged to 28x28

The models are `vae` (evidence lower bound), `iwae` (importance-weighted bound), `ladder` (five levels, precision-weighted) and
`hierarchy` (three levels that share a state, with posteriors of their own). The first two are the one-layer network of Burda,
Grosse, Salakhutdinov (2016), 784-(200, 200)-50 with tanh. Each run writes its row into one table, `vae_DATA.json`. Nothing was
tuned on the test images; all 60 000 training images are used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, binarize, load_fashion_mnist, load_mnist, load_or_stand_in
from probgen.demo import Measured, software
from probgen.distributions.latent import active_units
from probgen.infer import TimeBudget, fit
from probgen.metrics import cross_entropy
from probgen.plot import image_grid

PUBLISHED = {
    "vae": "86.76 (VAE)",
    "iwae": "84.78 (IWAE-50)",
    "ladder": "81.74 (ladder, 5 levels)",
    "hierarchy": "81.74 (ladder, 5 levels)",
}
HEADER = ["model", "test nats", "negative ELBO", "published", "active units", "steps", "CPU s", "parameters"]


def load(name: str, *, smoke: bool) -> tuple[str, Tensor, Tensor]:
    """The name of the data; training and test images ``[n, 784]`` as probabilities of a white pixel."""
    found = load_or_stand_in(load_mnist if name == "mnist" else load_fashion_mnist, stand_in=smoke)
    train = torch.cat([found.train.x, found.validation.x])
    images = train[:256] if smoke else train, found.test.x
    first, second = (part.float().reshape(len(part), 784) / 255 for part in images)
    return found.name if found.name == "enlarged digits" else name, first, second


def build(model: str, mean: Tensor) -> nn.Module:
    """The network of Burda et al. or a ladder; the decoder's last bias starts at the mean of the data."""
    if model == "ladder":
        vae = pg.vae.ladder_vae((784,), latents=(64, 32, 16, 8, 4), hidden=(256, 128, 64, 32, 16), mean=mean)
    elif model == "hierarchy":
        vae = pg.vae.top_down_vae((784,), latents=(32, 16, 8), hidden=200, posterior="direct", mean=mean)
    else:
        vae = pg.vae.mlp_vae((784,), latent=50, hidden=(200, 200), activation=nn.Tanh, mean=mean)
    last = [part for part in vae.decoder.modules() if isinstance(part, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.copy_(mean.clamp(0.01, 0.99).logit())
    return vae


def stages(model: str, vae: nn.Module, *, particles: int) -> list[tuple[nn.Module, float]]:
    """Objectives, and the share of the time at which each ends."""
    if model == "iwae":
        gradient = "doubly_reparameterized"
        return [(vae.loss(), 0.4), (vae.loss(pg.infer.IWAE(particles, gradient=gradient)), 1.0)]
    if model in ("ladder", "hierarchy"):
        return [(pg.vae.HierarchicalBound(vae, kl_weight=pg.infer.Annealed(0.1, 1.0, steps=5_000)), 1.0)]
    return [(vae.loss(), 1.0)]


class Mean(nn.Module):
    """A loss that is a sum over the batch, as a mean."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor) -> Tensor:
        """The mean loss of a datum."""
        return self.loss(x) / len(x)


def train(
    plan: list[tuple[nn.Module, float]], x: Tensor, minutes: float, *, rate: float, batch: int, smoke: bool
) -> tuple[int, float]:
    """Train for a time of the processor (as a smoke test three steps a stage); return steps and CPU seconds."""
    budget, steps = TimeBudget(60 * minutes, warm_up=0.02), 0
    batches = Batches(x, batch, seed=0, drop_last=True, transform=binarize)
    for loss, share in plan:
        history = fit(
            Mean(loss),
            batches,
            lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True),
            steps=3 if smoke else 10_000_000,
            schedule=budget.schedule,
            clip_norm=20.0,
            callbacks=[budget, TimeBudget(share * budget.seconds - budget.spent)],
            log_every=500,
            progress=False,
            accelerator="cpu",
        )
        steps += len(history.losses)
        last = history.losses[-500:]
        print(f"{steps} steps, {budget.spent:.0f} CPU s, loss {sum(last) / len(last):.2f}", flush=True)
    return steps, budget.spent


def used_units(vae: nn.Module, x: Tensor) -> str:
    """Units whose posterior mean has a variance over data above 0.01; in a hierarchy those that cost more than 0.01 nats."""
    with torch.no_grad():
        if isinstance(vae, pg.vae.VAE):
            used = [active_units(vae.encode(x))]
        else:
            used = [draw.unit_divergences() > 0.01 for draw in reversed(vae.infer(x).levels.values())]
    return ", ".join(f"{int(level.sum())} of {level.numel()}" for level in used)


def pictures(vae: nn.Module, x: Tensor, path: Path) -> None:
    """Probabilities of test images' reconstructions and of draws."""
    law = vae.distribution()
    with torch.no_grad():
        if hasattr(vae, "encode"):
            shown = torch.cat(
                [x[:10], vae.decode(vae.encode(x[:10]).mean).mean, vae.decode(vae.latent_law().sample((30,))).mean]
            )
        else:
            shown = torch.cat([x[:10], law.sample((40,))])
    image_grid(shown.reshape(-1, 28, 28), columns=10).savefig(path, dpi=110)


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(PUBLISHED), default="vae")
    parser.add_argument("--data", choices=("mnist", "fashion"), default="mnist")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of the processor")
    parser.add_argument("--particles", type=int, default=10, help="draws of the importance-weighted bound")
    parser.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--draws", type=int, default=1000, help="importance samples of every test image")
    parser.add_argument("--images", type=int, default=10_000, help="test images")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="three steps, few images")
    options = parser.parse_args(argv)
    smoke, model = options.smoke, options.model
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name, x, test = load(options.data, smoke=smoke)
    test = binarize(test[: 20 if smoke else options.images], torch.Generator().manual_seed(0))
    vae = build(model, x.mean(0))
    plan = stages(model, vae, particles=options.particles)
    steps, seconds = train(plan, x, options.minutes, rate=options.rate, batch=options.batch, smoke=smoke)
    vae.eval()
    law, draws = vae.distribution(), 10 if smoke else options.draws
    bound = cross_entropy(law.elbo, test)
    likelihood = cross_entropy(lambda part: law.log_prob_estimate(part, draws).value, test)
    size = sum(parameter.numel() for parameter in vae.parameters())
    label = f"IWAE-{options.particles}" if model == "iwae" else model.upper() if model == "vae" else model
    published = PUBLISHED[model] if name == "mnist" else "n/a"
    row = [label, str(likelihood), str(bound), published, used_units(vae, test), str(steps), f"{seconds:.0f}", f"{size:,}"]
    path = options.out / f"vae_{name.replace(' ', '_')}.json"
    shown = "MNIST" if name == "mnist" else name
    title = f"Variational autoencoders on {shown}, {options.minutes:g} minutes of one core"
    found = Measured.read(path) if path.exists() else Measured(title)
    rows = [other for other in (found.tables[0][2] if found.tables else []) if other[0] != label] + [row]
    found.tables = []
    found.conditions = [
        f"Pixels binarized at random, anew at every visit; {options.minutes:g} minutes of one core's time for each model; "
        f"test: {len(test)} images binarized once, importance sampling with {draws} draws, which gives an upper bound in "
        f"expectation. {software()}.",
        options.condition,
    ]
    print(found.add("Nats an image; lower is better.", HEADER, rows), flush=True)
    print(found.write(path))
    try:
        pictures(vae, test, options.out / f"vae_{name.replace(' ', '_')}_{model}.png")
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
