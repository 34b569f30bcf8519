"""Diffusion on the embedded digits from start to end: bits/dim in four ways, samples after few steps, the papers' pictures.

python examples/digits_diffusion.py            some minutes on two cores; writes out/digits_diffusion.html and .json
python examples/digits_diffusion.py --full     with samples of 1000 steps
python examples/digits_diffusion.py --smoke    seconds: everything runs, nothing is learned
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from probgen.demo import (
    ENTRIES,
    DiffusionModel,
    Judge,
    Measured,
    Problem,
    Settings,
    class_posterior,
    digits_diffusion,
    flow_bits,
    forward_chain,
    guidance_strengths,
    inpainted,
    interpolations,
    load_problem,
    noise_table,
    progressive_generation,
    shared_states,
    software,
    solver_table,
    super_resolved,
    train,
)
from probgen.diffusion import BitsReport, Diffusion, bound_estimate
from probgen.distributions import Quantization
from probgen.metrics import accuracy, bits_per_dim, train_classifier_features
from probgen.plot import Page, curves, image_grid

LEVELS = Quantization(17, -1.0, 1.0)
NULL = 10


def centered(x: Tensor) -> Tensor:
    """Integer images ``[n, 64]`` as data of the model, ``[n, 1, 8, 8]`` in [-1, 1]."""
    return (x.float() / 8 - 1).reshape(-1, 1, 8, 8)


def bits(found: Measured, diffusion: Diffusion, problem: Problem, report: BitsReport, few: int) -> None:
    """Bits per dimension by bounds and by the probability flow."""
    rows = []
    for name, split, by_class in (
        ("bound, unconditional", problem.test, False),
        ("bound, by class", problem.test, True),
        ("bound, by class, training images", problem.train, True),
    ):
        images = centered(split.x[: 4 * few])
        context = split.labels[: 4 * few] if by_class else torch.full((len(images),), NULL)
        nats = bound_estimate(diffusion, images, context, num_draws=16)
        rows.append([name, str(len(images)), f"<= {bits_per_dim(-nats, 64)}"])
    x, label = centered(problem.test.x[:few]), problem.test.labels[:few]
    nats = bound_estimate(diffusion, x, label, num_draws=64, decoder_draws=16)
    rows.append(["bound, by class", str(few), f"<= {bits_per_dim(-nats, 64)}"])
    rows.append(
        [
            f"bound of the chain of {len(diffusion.grid)} steps, by class",
            str(few),
            f"<= {report.total:.3f} ± {report.total_stderr:.3f}",
        ]
    )
    flow = flow_bits(diffusion, x, label, LEVELS, steps=20 if few > 10 else 2)
    rows.append(["probability flow to the decoder, by class", str(few), f"<= {flow.decoder}"])
    rows.append(["probability flow, uniform dequantization, by class", str(few), f"<= {flow.uniform}"])
    print(
        found.add(
            "Bits per dimension of 17 levels (the uniform law: 4.087). All are upper bounds of a code length. The flow stops "
            f"at a noise-to-signal ratio of {flow.decoder_stop:.3f} (decoder) and {flow.uniform_stop:.3f} (uniform); uniform "
            "dequantization loses 0.25 bits by itself, since the network saw normal noise around the levels.",
            ["how", "images", "bits/dim"],
            rows,
        ),
        flush=True,
    )
    parts = [["prior", report.prior_bits], ["steps", report.step_bits], ["decoder", report.decoder_bits]]
    print(
        found.add("The chain's bound, term by term.", ["term", "bits/dim"], [[name, f"{value:.4f}"] for name, value in parts]),
        flush=True,
    )


def quality(found: Measured, diffusion: Diffusion, problem: Problem, samples: int, *, full: bool, smoke: bool) -> None:
    """Samples after few steps, by a named distance."""
    real, held_out = centered(problem.train.x), centered(problem.test.x)
    extractor = train_classifier_features(
        real, problem.train.labels, test=(held_out, problem.test.labels), name="digits classifier", num_features=32,
        steps=20 if smoke else 600,
    )  # fmt: skip
    judge = Judge(real, held_out[:samples], extractor, lambda x: LEVELS.snap(x.clamp(-1, 1)))
    noise, labels = diffusion.prior.sample((samples,)), problem.test.labels[:samples]
    floor = judge(held_out[:samples])
    caption = f"Squared Fréchet distance of {samples} samples by class; {floor.extractor}; real/real floor {floor.floor}."
    counts = (3, 5) if smoke else (5, 10, 20, 50, 100)
    print(
        found.add(f"DDIM and its relatives. {caption}", *noise_table(diffusion, noise, labels, judge, steps=counts)), flush=True
    )
    spent = (5,) if smoke else (5, 10, 20, 50)
    print(found.add(f"Samplers. {caption}", *solver_table(diffusion, noise, labels, judge, evaluations=spent)), flush=True)
    if full:
        print(
            found.add(
                f"The whole chain. {caption}", *noise_table(diffusion, noise, labels, judge, steps=(1000,), etas=(0.0, 1.0))
            ),
            flush=True,
        )


def pictures(page: Page, diffusion: Diffusion, problem: Problem, report: BitsReport) -> None:
    """The papers' figures."""
    x, label = centered(problem.test.x), problem.test.labels
    some = torch.tensor([int((label == digit).nonzero()[0]) for digit in range(10)])
    null = torch.tensor(NULL)
    noise = diffusion.prior.sample((10,))
    made = {
        "The forward chain.": forward_chain(diffusion, x[some[:5]]),
        "Progressive generation: what the network takes the data for, and the sample.": progressive_generation(
            diffusion, noise[:5], torch.arange(5)
        ),
        "A datum and samples that share its noisy state at t = 0.3, 0.5, 0.7 and 0.9, without a label.": shared_states(
            diffusion, x[some[3]], null, (0.3, 0.5, 0.7, 0.9)
        ),
        "A 3 and an 8 mixed at t = 0.1, 0.4, 0.7 and 1, without a label.": interpolations(
            diffusion, x[some[3]], x[some[8]], null, (0.1, 0.4, 0.7, float(diffusion.grid.times[-1]))
        ),
        "Guidance of strength 0, 1, 2, 4 and 8 from one noise.": guidance_strengths(
            diffusion, noise, torch.arange(10), (0.0, 1.0, 2.0, 4.0, 8.0)
        ),
        "The lower half filled in without a label: datum, what is seen, three draws (null space, biased).": inpainted(
            diffusion, x[some], null.expand(10)
        ),
        "4x4 to 8x8 without a label: datum, what is seen, three draws (null space, biased).": super_resolved(
            diffusion, x[some], null.expand(10)
        ),
    }
    for caption, rows in made.items():
        page.figure(image_grid(rows.flatten(0, 1)[:, 0].clamp(-1, 1), columns=rows.shape[1]), caption)
    rate = {"": (report.rate.tolist(), report.distortion.tolist())}
    page.figure(curves(rate, xlabel="rate / bits a dimension", ylabel="distortion / RMSE in levels"), "Rate and distortion.")


def _small(problem: Problem, *, conditional: bool) -> DiffusionModel:
    """For smoke tests."""
    return DiffusionModel(digits_diffusion(width=8, steps=20))


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print, write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    parser.add_argument("--full", action="store_true", help="samples of 1000 steps too")
    parser.add_argument("--steps", type=int, default=800, help="training steps; below 800 fewer images are scored")
    parser.add_argument("--samples", type=int, default=200, help="samples of each sampler")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    options = parser.parse_args(argv)
    smoke, begin = options.smoke, time.perf_counter()
    settings = Settings.smoke() if smoke else Settings()
    build = _small if smoke else ENTRIES["diffusion"].build
    entry = replace(ENTRIES["diffusion"], share=1.0, build=build)
    problem = load_problem(settings)
    model, losses = train(entry, problem, replace(settings, steps=3 if smoke else options.steps), conditional=True)
    assert isinstance(model, DiffusionModel)
    diffusion = model.diffusion
    found = Measured("Diffusion on the digits")
    seconds = time.perf_counter() - begin
    size = sum(parameter.numel() for parameter in model.parameters())
    found.conditions = [
        f"{len(losses)} steps of 128 images in {seconds:.0f} s, {size:,} parameters; {software()}.",
        options.condition,
    ]
    print(found.conditions[0], flush=True)
    few = 4 if smoke else 50 if options.steps < 800 else 100
    report = diffusion.bits_report(centered(problem.test.x[:few]), problem.test.labels[:few])
    bits(found, diffusion, problem, report, few)
    if not smoke:
        right = accuracy(class_posterior(model, problem, problem.test_v[0]), problem.test.labels)
        print(
            found.add(
                "Bayes' rule on bounds with shared noise.", ["draws a class", "accuracy"], [[str(model.draws), str(right)]]
            ),
            flush=True,
        )
    quality(found, diffusion, problem, 40 if smoke else options.samples, full=options.full, smoke=smoke)
    print(found.write(options.out / "digits_diffusion.json"))
    try:
        page = Page("Diffusion on the digits")
        page.text(" ".join(found.conditions))
        for caption, header, rows in found.tables:
            page.text(caption)
            page.table(header, rows)
        pictures(page, diffusion, problem, report)
        print(page.write(options.out / "digits_diffusion.html"))
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
