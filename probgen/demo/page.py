"""The page of results: the comparison and what it says, the families side by side, then details. One file, no network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from probgen.demo.comparison import comparison_table, findings
from probgen.demo.measured import Measured, software
from probgen.demo.results import Results
from probgen.demo.side_by_side import completion_rows, draw_rows, interpolation_rows, neighbor_rows
from probgen.plot import Page, density_2d, history, image_grid, image_rows

__all__ = ["figures_of", "write_page"]

_KINDS = (
    "Bits per dimension are those of coding the integers; less is better. 'exact': the code length itself. 'exact density': "
    "the likelihood of images with uniform noise inside each level is exact, and bounds the code length of the integers. "
    "'bound': a variational bound of it, so the model may be better than its number. 'none': no likelihood exists. ± is one "
    "standard error over images."
)
_WAYS = (
    "From one test image to another through each latent space. A flow and a diffusion model have one code for every image; an "
    "autoencoder shows the means of its decoder; an autoregressive model has only numbers that are used in order, so its ways "
    "jump (small images only); an adversarial network has no code of a given image and goes between two draws."
)


def write_page(results: Results, path: str | Path) -> Path:
    """Write the page.

    Args:
        results: Of a run.
        path: File to write; folders are made.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> from probgen.demo import Settings, run, write_page
        >>> write_page(run(Settings.smoke(), progress=False), "page.html")  # doctest: +SKIP
        PosixPath('page.html')
    """
    page = Page(f"Five families, one data set: {results.problem.name}")
    _compare(page, results)
    _show(page, results)
    _details(page, results)
    for name in results.models:
        _family(page, results, name)
    _plane(page, results)
    return page.write(path)


def figures_of(results: Results, condition: str = "") -> Measured:
    """The tables as data, with the conditions under which they were measured.

    Args:
        results: Of a run.
        condition: A sentence about the machine.

    Example:
        >>> from probgen.demo import Results, Settings, figures_of, load_problem
        >>> figures_of(Results(Settings(), load_problem(Settings.smoke()))).title
        'The five families side by side: digits'
    """
    found = Measured(f"The five families side by side: {results.problem.name}", [_conditions(results)])
    found.conditions += [condition] if condition else []
    for caption, rows in (
        ("The comparison.", comparison_table(results)),
        ("By class.", results.class_table()),
        ("Details.", results.detail_table()),
    ):
        found.add(caption, *rows)
    return found


def _conditions(results: Results) -> str:
    problem, settings = results.problem, results.settings
    images = problem.images
    return (
        f"`python examples/demo.py --data {settings.data}`: {len(problem.train):,} training images and {len(problem.test):,} "
        f"test images of {images.height}x{images.width} pixels with {images.levels} levels; seed {settings.seed}; "
        f"{results.total_seconds:.0f} s in all but for the page, by the clock of the {settings.clock}, on a {settings.device}; "
        f"{software()}."
    )


def _compare(page: Page, results: Results) -> None:
    page.table(*comparison_table(results))
    page.items(findings(results))
    page.text(_KINDS)
    page.text(_conditions(results))


def _show(page: Page, results: Results) -> None:
    page.heading("Draws, side by side")
    page.figure(image_rows(draw_rows(results)), "Test images, and the first draws of every model; none was selected.")
    page.heading("Not just copy and paste")
    page.figure(image_rows(neighbor_rows(results)), "Draws, and under each the nearest of all training images.")
    page.heading("Latent interpolation")
    page.figure(image_rows(interpolation_rows(results)), _WAYS)
    page.heading("Inpainting")
    how = "; ".join(f"{name}: {model.completes}" for name, model in results.models.items() if model.completes)
    page.figure(
        image_rows(completion_rows(results)),
        f"A test image of each class, what is seen of it, and one draw of the rest by each model that can: {how}. No model was "
        "told the class or trained for this.",
    )


def _details(page: Page, results: Results) -> None:
    page.heading("By class: Bayes' rule, and reweighting")
    page.text(
        "A model of p(x | y) classifies by Bayes' rule. A model of p(x), weighted by a classifier, draws from p(x | y): the "
        "effective sample size says how many independent draws that is worth."
    )
    page.table(*results.class_table())
    page.heading("Outliers: AUROC of log p(x)")
    page.text(
        "1 is perfect, 1/2 is chance; below 1/2 the outliers are more likely than test images: density is not familiarity. "
        "Rotation by 90 degrees is easy for digits: it moves ink to border columns that are blank in every training image."
    )
    page.table(*results.outlier_table())
    page.heading("What else was measured")
    page.text("The round trip of an autoencoder is its reconstruction; of all others a numerical error.")
    page.table(*results.detail_table())
    curves = {name: _smooth(losses) for name, losses in results.losses.items() if results.scores[name].kind != "none"}
    if curves:
        page.figure(history(curves, ylabel="loss / nats an image"), "Negative log-density, or its bound; over 20 steps.")


def _family(page: Page, results: Results, name: str) -> None:
    page.heading(name)
    square, model = results.problem.images.square, results.models[name]
    torch.manual_seed(results.settings.seed)
    labels = torch.arange(results.problem.images.num_classes).repeat_interleave(10)
    by_class = results.conditional[name].sample(len(labels), labels)
    page.figure(image_grid(square(by_class), columns=20, size=0.4), "Draws from p(x | y), ten for each class.")
    images = results.reweighted[name].images[:, :10].flatten(0, 1)
    page.figure(image_grid(square(images), columns=20, size=0.4), "p(x | y) from p(x), reweighted by a classifier.")
    for own in dict.fromkeys((model, results.conditional[name])):
        for caption, rows in own.pictures().items():
            page.figure(image_grid(square(rows.flatten(0, 1)), columns=rows.shape[1], size=0.5), caption)


def _plane(page: Page, results: Results) -> None:
    if not results.plane:
        return
    page.heading("Laws of the plane")
    page.text(
        "Where the truth is known: left of each pair the truth, right of it a spline coupling flow; KL(truth || flow) in nats."
    )
    pairs = {}
    for fitted in results.plane:
        pairs[fitted.name] = fitted.truth
        pairs[f"{fitted.name}: KL {fitted.divergence:.3f}"] = fitted.fitted
    page.figure(density_2d(pairs, columns=4), "Densities.")


def _smooth(losses: Tensor, width: int = 20) -> Tensor:
    weights = torch.ones(1, 1, min(width, len(losses)))
    smooth: Tensor = torch.nn.functional.conv1d(losses[None, None], weights / weights.numel())
    return smooth[0, 0]
