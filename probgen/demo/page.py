"""The page of results: samples, classes, densities of the plane, an interpolation. One file, no network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from probgen.demo.problem import square
from probgen.demo.results import Results
from probgen.plot import Page, density_2d, history, image_grid

__all__ = ["interpolation", "write_page"]

_BOUND = (
    "Bits per dimension are for images with 17 gray values. For flows they are exact for the density of uniformly dequantized "
    "images and so an upper bound of the code length of the integers; for the autoregressive model they are that code length, "
    "exactly; for autoencoders and diffusion (<=) they are a variational bound of it. The uniform law needs log2(17) = 4.09. "
    "The round trip of an autoencoder is its reconstruction. An adversarial network has no density and so no bits: its draws "
    "are judged below, as are those of all others."
)

_DRAWS = (
    "As many draws as there are test images, rounded to gray values, against the training images in the features of a {}. "
    "Less is better for the distance; for the others what the test images have: they are the floor, what a perfect model gets. "
    "A model that is better than the floor is nearer to the training images than new images are: a sign that it leans on them."
)


def interpolation(results: Results, name: str, *, steps: int = 10) -> Tensor:
    """Lines (or arcs, if the model says so) in latent space between pairs of real test images: ``[3 * steps, 64]`` pixels.

    Args:
        results: Of a run.
        name: Which unconditional model.
        steps: Images on each line, both ends included.

    Example:
        >>> from probgen.demo import Settings, interpolation, run
        >>> results = run(Settings.smoke(), progress=False)  # doctest: +SKIP
        >>> interpolation(results, "spline coupling").shape  # doctest: +SKIP
        torch.Size([30, 64])
    """
    model = results.models[name]
    label = results.problem.test.labels.tolist()
    ends = [label.index(digit) for digit in (0, 6, 3, 8, 1, 7)]
    z = model.encode(results.problem.test_v[0][ends])
    t = torch.linspace(0, 1, steps)
    return torch.cat([model.decode(model.mix(z[k], z[k + 1], t)) for k in (0, 2, 4)]).clamp(0, 1)


def write_page(results: Results, path: str | Path) -> Path:
    """Write the page.

    Args:
        results: Of a run.
        path: File to write; folders are made.

    Example:
        >>> from probgen.demo import Settings, run, write_page
        >>> write_page(run(Settings.smoke(), progress=False), "page.html")  # doctest: +SKIP
        PosixPath('page.html')
    """
    page = Page("Digits by density")
    page.text(_BOUND)
    page.table(*results.score_table())
    page.heading("Draws")
    page.text(_DRAWS.format(results.quality["test images"].report.extractor))
    page.table(*results.quality_table())
    for name in results.models:
        page.heading(name)
        torch.manual_seed(results.settings.seed)
        page.figure(image_grid(square(results.models[name].sample(50)), columns=25, size=0.4), "Draws from p(x).")
        labels = torch.arange(10).repeat_interleave(10)
        by_class = results.conditional[name].sample(100, labels)
        page.figure(image_grid(square(by_class), columns=20, size=0.4), "Draws from p(x | y), ten for each digit.")
        images = results.reweighted[name].images[:, :10].flatten(0, 1)
        page.figure(image_grid(square(images), columns=20, size=0.4), "p(x | y) from p(x), reweighted by a classifier.")
        if results.models[name].kind != "none":
            line = image_grid(square(interpolation(results, name)), columns=10)
            page.figure(line, "Latent interpolation between test images.")
        for model in dict.fromkeys((results.models[name], results.conditional[name])):
            for caption, rows in model.pictures().items():
                page.figure(image_grid(square(rows.flatten(0, 1)), columns=rows.shape[1], size=0.5), caption)
    page.heading("Classification by Bayes' rule, and reweighting")
    page.table(*results.class_table())
    page.heading("Outliers: AUROC of log p(x)")
    page.text("1 is perfect, 1/2 is chance; below 1/2 the outliers are more likely than digits: density is not familiarity.")
    page.text("Rotation by 90 degrees is easy here: it moves ink to border columns that are blank in every training image.")
    page.table(*results.outlier_table())
    page.heading("Laws of the plane")
    page.text("Left of each pair the truth, right of it the flow; the number is KL(truth || flow) in nats.")
    pairs = {}
    for fitted in results.plane:
        pairs[fitted.name] = fitted.truth
        pairs[f"{fitted.name}: KL {fitted.divergence:.3f}"] = fitted.fitted
    page.figure(density_2d(pairs, columns=4), "Densities.")
    page.heading("Training")
    curves = {name: _smooth(losses) for name, losses in results.losses.items() if results.scores[name].kind != "none"}
    page.figure(history(curves, ylabel="loss / nats an image"), "Negative log-density, or its bound; over 20 steps.")
    return page.write(path)


def _smooth(losses: Tensor, width: int = 20) -> Tensor:
    weights = torch.ones(1, 1, min(width, len(losses)))
    smooth: Tensor = torch.nn.functional.conv1d(losses[None, None], weights / weights.numel())
    return smooth[0, 0]
