"""Train the models that ship with the library: one of each family on the embedded digits, by class, with a card each.

OMP_NUM_THREADS=1 python examples/pretrained_digits.py                   five models, five minutes of one core
OMP_NUM_THREADS=1 python examples/pretrained_digits.py --only vae-digits --budget 300
python examples/pretrained_digits.py --smoke                                    seconds

All models learn from the images that are not test images. How long was chosen with `--validate`, which trains on the training
images alone and scores the validation images; the test images are looked at once: bits per dimension where there is a density
or a bound, and draws of their classes by the Fréchet distance in the features of a classifier. Weights and cards are written to
`--out`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

import probgen as pg
from probgen.data import Batches, Split, load_digits
from probgen.demo import software
from probgen.diffusion import bound_estimate
from probgen.infer import EMA, R1, Adversarial, MaximumLikelihood, NonSaturating, Objective, TimeBudget, fit
from probgen.metrics import bits_per_dim, frechet_report, train_classifier_features
from probgen.plot import table
from probgen.pretrained import ModelCard, build_model, digits_adversarial_networks, pretrained_names, write_pretrained

DATA = "embedded digits 8x8, 17 gray values (Optical Recognition of Handwritten Digits, UCI, CC BY 4.0)"
CENTERED = "gray values k/8 - 1, k = 0 to 16"
UNIT, NUMBER = "the class as a unit vector [*batch, 10]", "the class as a number [*batch]"
LIMITS = "Small models of small images, to learn and to test with; they know nothing else than these digits."


def centered(x: Tensor) -> Tensor:
    """Integers ``[n, 8, 8]`` as the values of the models that look at [-1, 1]."""
    return x.float() / 8 - 1


def unit(labels: Tensor) -> Tensor:
    """Classes as unit vectors."""
    return one_hot(labels.long(), 10).float()


class Evidence(nn.Module):
    """The mean negative bound of an autoencoder."""

    def __init__(self, model: pg.vae.VAE) -> None:
        super().__init__()
        self.loss = model.loss()

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """The mean loss of an image, nats."""
        return self.loss(x, context) / len(x)


@dataclass(frozen=True)
class Family:
    """How a model of a family is trained and used.

    Attributes:
        family: Its name on the card.
        recipe: On the card.
        values: Integer images to the values of the model.
        context: Labels to its context.
        objective: The loss.
        rate: The largest learning rate.
        draw: Centered images ``[n, 8, 8]`` for labels.
        log_prob: Log-probability or bound of values, nats; None where there is none.
        kind: What the bits are.
        seconds: Of a processor, for training.
        betas: Of AdamW.
        averaging: Decay of the moving average of the weights.
    """

    family: str
    recipe: str
    values: Callable[[Tensor], Tensor]
    context: Callable[[Tensor], Tensor]
    objective: Callable[[nn.Module], nn.Module]
    rate: float
    draw: Callable[[nn.Module, Tensor], Tensor]
    log_prob: Callable[[nn.Module, Tensor, Tensor], Tensor] | None
    kind: str
    seconds: float
    betas: tuple[float, float] = (0.9, 0.99)
    averaging: float = 0.995


def _denoising(model: nn.Module) -> nn.Module:
    return model.denoising_loss("likelihood", context_dropout=0.1)


FAMILIES: dict[str, Family] = {
    "glow-digits": Family(
        "normalizing flow",
        "DequantizedLaw(flows.glow, 2 levels of 6 steps, 40 hidden channels)",
        lambda x: x.float().unsqueeze(1),
        unit,
        MaximumLikelihood,
        5e-3,
        lambda model, labels: centered(model(unit(labels)).sample().squeeze(1)),
        lambda model, x, context: model(context).log_prob(x),
        "an upper bound (uniform noise, one draw an image)",
        40.0,
        averaging=0.99,
    ),
    "pixel-cnn-digits": Family(
        "autoregressive model",
        "autoregressive.gated_pixel_cnn, 5 layers of 24 channels",
        centered,
        unit,
        MaximumLikelihood,
        4e-3,
        lambda model, labels: model(unit(labels)).sample(),
        lambda model, x, context: model(context).log_prob(x),
        "exact",
        120.0,
    ),
    "vae-digits": Family(
        "variational autoencoder",
        "vae.mlp_vae, 24 latents, two layers of 160",
        lambda x: centered(x).flatten(1),
        unit,
        Evidence,
        2e-3,
        lambda model, labels: model.distribution(unit(labels)).sample().reshape(-1, 8, 8),
        lambda model, x, context: model.distribution(context).log_prob_estimate(x, 500).value,
        "an upper bound (500 importance samples an image)",
        10.0,
    ),
    "diffusion-digits": Family(
        "diffusion",
        "diffusion.Diffusion, cosine schedule, U-Net of 16 and 32 channels",
        lambda x: centered(x).unsqueeze(1),
        lambda labels: labels,
        _denoising,
        3e-3,
        lambda model, labels: model.dpm_solver(steps=20)(model.prior.sample((len(labels),)), labels).squeeze(1),
        lambda model, x, context: -bound_estimate(model, x, context, num_draws=32, decoder_draws=4),
        "an upper bound (the chain's, 32 draws an image)",
        120.0,
    ),
    "gan-digits": Family(
        "adversarial network",
        "gan.mlp_gan, noise of 32, two layers of 256; non-saturating loss with R1",
        lambda x: centered(x).unsqueeze(1),
        lambda labels: labels,
        nn.Identity,
        1e-3,
        lambda model, labels: model(labels).sample().squeeze(1),
        None,
        "none: the law has no density",
        30.0,
        betas=(0.0, 0.99),
        averaging=0.999,
    ),
}


def objective_of(name: str, family: Family) -> tuple[nn.Module, nn.Module]:
    """The model that is shipped, and the loss that trains it."""
    if name == "gan-digits":
        model, critic = digits_adversarial_networks()
        return model, Adversarial(NonSaturating(), penalties=[R1(0.5)], penalty_share=0.25)(model, critic)
    model = build_model(name)
    return model, family.objective(model)


def train(name: str, x: Tensor, labels: Tensor, options: argparse.Namespace) -> tuple[nn.Module, int, float]:
    """The trained model with averaged weights, steps, processor seconds."""
    family = FAMILIES[name]
    torch.manual_seed(options.seed)
    model, loss = objective_of(name, family)
    columns = (family.values(x), family.context(labels))
    if name == "glow-digits":
        model.bijector.initialize_from(columns[0] + torch.rand(columns[0].shape), columns[1])
    budget, average = TimeBudget(options.budget or family.seconds, warm_up=0.05), EMA(model, family.averaging)
    turns = len(loss.players) if isinstance(loss, Objective) and loss.players else 1
    history = fit(
        loss,
        Batches(columns, 128, seed=options.seed, drop_last=True),
        lambda parameters: torch.optim.AdamW(parameters, lr=family.rate, betas=family.betas, weight_decay=1e-4, fused=True),
        steps=2 * turns if options.smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=None if name == "gan-digits" else 5.0 * x[0].numel(),
        ema=average,
        callbacks=[budget],
        log_every=500,
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    return model.eval(), len(history.losses), budget.spent


@torch.no_grad()
def scores(name: str, model: nn.Module, test: Split, extractor: nn.Module, reference: Tensor, count: int) -> dict[str, str]:
    """What stands on the card."""
    family, found = FAMILIES[name], {}
    torch.manual_seed(1)
    x, labels = test.x[:count], test.labels[:count]
    if family.log_prob is not None:
        bits = bits_per_dim(family.log_prob(model, family.values(x), family.context(labels)), 64)
        found["bits/dim, given the class"] = f"{bits}, {family.kind}"
    else:
        found["bits/dim, given the class"] = family.kind
    drawn = ((family.draw(model, test.labels) + 1) * 8).round().clamp(0, 16)
    report = frechet_report(drawn, reference, test.x.float(), extractor)
    found["Fréchet distance"] = f"{report.distance}; of as many held-out images {report.floor}; {report.extractor}"
    read = (extractor.classify(drawn).argmax(-1) == test.labels).float().mean()
    found["draws read as asked"] = f"{read:.3f}"
    return found


def main(argv: list[str] | None = None) -> dict[str, ModelCard]:
    """Train, score, write, print; return the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=pretrained_names(), default=list(pretrained_names()), metavar="NAME")
    parser.add_argument("--budget", type=float, default=0.0, help="processor seconds of each model")
    parser.add_argument("--validate", action="store_true", help="train on the training images, score the validation images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/pretrained"), help="folder of weights and cards")
    parser.add_argument("--smoke", action="store_true", help="two steps of each")
    options = parser.parse_args(argv)
    digits = load_digits()
    parts, held_out = (
        ((digits.train,), digits.validation) if options.validate else ((digits.train, digits.validation), digits.test)
    )
    x, labels = (torch.cat([getattr(part, key) for part in parts]) for key in ("x", "labels"))
    seen, unseen = (x.float(), labels), (held_out.x.float(), held_out.labels)
    steps = 10 if options.smoke else 600
    extractor = train_classifier_features(*seen, test=unseen, name="digits classifier", steps=steps)
    cards: dict[str, ModelCard] = {}
    for name in options.only:
        model, steps, seconds = train(name, x, labels, options)
        cards[name] = ModelCard(
            name=name,
            family=FAMILIES[name].family,
            model=FAMILIES[name].recipe,
            data=f"{DATA}; {len(x)} images to train, {len(held_out)} to score",
            units="integers 0 to 16" if name == "glow-digits" else CENTERED,
            given=UNIT if FAMILIES[name].context is unit else NUMBER,
            command=f"python examples/pretrained_digits.py --only {name}",
            seconds=round(seconds, 1),
            steps=steps,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            scores=scores(name, model, held_out, extractor, seen[0], 8 if options.smoke else len(held_out)),
            software=software(),
            limits=LIMITS,
        )
        write_pretrained(model, cards[name], options.out)
        print(cards[name], flush=True)
    header = ["model", *next(iter(cards.values())).scores]
    print(table(header, [[name, *(value.split(";")[0] for value in card.scores.values())] for name, card in cards.items()]))
    return cards


if __name__ == "__main__":
    main()
