"""What can be done with latents, on the digits: a map, ways between images, arithmetic, attributes, outliers.

python examples/latent_space.py            a minute on one core; writes out/latent_space.html
python examples/latent_space.py --smoke    everything runs, nothing is learned

Two models of the binary digits are trained: one with two latents, for the map and for geodesics, and one with sixteen for the
rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

import probgen as pg
from probgen.data import Batches, Split, load_binary_digits
from probgen.metrics import auroc
from probgen.plot import Page, curves, image_grid, table
from probgen.vae import latent_space as space


def trained(x: Tensor, latents: int, steps: int) -> pg.vae.VAE:
    """A model of binary digits in evaluation mode."""
    torch.manual_seed(0)
    vae = pg.vae.mlp_vae((64,), latents, hidden=(128,), mean=x.mean(0))
    optimizer = lambda parameters: torch.optim.Adam(parameters, lr=2e-3, fused=True)  # noqa: E731
    pg.infer.fit(vae.loss(), Batches(x, 115, seed=0), optimizer, steps=steps, progress=False)
    return vae.eval()


def images(means: Tensor) -> Tensor:
    """Means ``[*batch, 64]`` as ``[n, 8, 8]``."""
    return means.detach().reshape(-1, 8, 8)


def draw_map(vae: pg.vae.VAE, test: Split, page: Page) -> None:
    """All that a model with two latents can draw, and where the test images lie."""
    points = 15
    _, means = space.manifold(vae, points)
    page.figure(image_grid(images(means), columns=points, size=0.35), "Means on a grid that is even in probability.")
    with torch.no_grad():
        codes = vae.encode(test.x.flatten(1)).mean
    labels = test.labels
    clouds = {str(k): tuple(codes[labels == k].unbind(-1)) for k in range(10)}
    figure = curves(clouds, xlabel="z_1", ylabel="z_2")
    for line in figure.axes[0].lines:
        line.set(linestyle="none", marker=".", markersize=3)
    page.figure(figure, "Posterior means of the test images, by class.")


def ways(vae: pg.vae.VAE, test: Split, page: Page) -> dict[str, float]:
    """From one image to another: segment, arc, geodesics; lengths as the decoder sees them."""
    x, labels = test.x.flatten(1), test.labels
    with torch.no_grad():
        start, end = (vae.encode(x[labels == k][0]).mean for k in (0, 7))
    weights = torch.arange(13) / 12
    paths = {
        "segment": space.linear(start, end, weights),
        "arc": space.spherical(start, end, weights),
        "geodesic of the means": space.geodesic(vae.decode, start, end, steps=12).points,
        "geodesic of the laws": space.geodesic(vae.decode, start, end, steps=12, metric="fisher").points,
    }
    lengths = {}
    for name, path in paths.items():
        with torch.no_grad():
            lengths[name] = float(space.path_length(vae.decode, path, metric="fisher"))
            page.figure(image_grid(images(vae.decode(path).mean), columns=13), f"{name}: Fisher length {lengths[name]:.2f}")
    return lengths


def arithmetic(vae: pg.vae.VAE, train: Split, page: Page) -> None:
    """A' - A + B with its uncertainty, and an attribute vector: how much ink."""
    x, labels = train.x.flatten(1), train.labels
    ink = x.sum(-1)
    heavy, light = ink > ink.quantile(0.8), ink < ink.quantile(0.2)
    threes = labels == 3
    with torch.no_grad():
        a, changed, b = (vae.encode(x[chosen][0]) for chosen in (threes & light, threes & heavy, (labels == 0) & light))
        law = space.analogy(changed, a, b)
        shown = torch.cat([x[threes & light][:1], x[threes & heavy][:1], x[(labels == 0) & light][:1]])
        answers = vae.decode(torch.cat([law.mean[None], law.sample((4,))])).mean
        titles = ["A", "A'", "B", "B'", "draw", "draw", "draw", "draw"]
        page.figure(
            image_grid(images(torch.cat([shown, answers])), columns=8, titles=titles), "A' - A + B, and draws of its law."
        )
        vector = space.attribute_vector(vae.encode(x[heavy]), vae.encode(x[light]))
        moved = torch.stack([space.shift(b, vector.mean, strength).mean for strength in (-1.0, -0.5, 0.0, 0.5, 1.0)])
        page.figure(image_grid(images(vae.decode(moved).mean), columns=5), "Less and more of the vector 'much ink'.")
        walks = space.traversals(vae.latent_law(), b.mean, 9)
        page.figure(image_grid(images(vae.decode(walks).mean), columns=9, size=0.3), "Every unit through its quantiles.")


def outliers(vae: pg.vae.VAE, test: Split) -> list[list[object]]:
    """How well three scores and typicality tell test images from others: areas under the ROC curve."""
    torch.manual_seed(0)
    x = test.x.flatten(1)
    usual = space.outlier_scores(vae, x)
    others = {
        "upside down": test.x.flip(1).flatten(1),
        "black and white exchanged": 1 - x,
        "noise of the same ink": (torch.rand_like(x) < x.mean()).float(),
        "an empty image": torch.zeros(20, 64),
    }
    rows: list[list[object]] = []
    for name, data in others.items():
        scores = space.outlier_scores(vae, data)
        pairs = [(getattr(scores, kind), getattr(usual, kind)) for kind in ("likelihood", "reconstruction", "divergence")]
        pairs.append((scores.typicality(usual), usual.typicality(usual)))
        rows.append([name, *(round(auroc(a, b), 3) for a, b in pairs)])
    return rows


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Train, draw, score, and write a page; return the lengths of the ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    parser.add_argument("--steps", type=int, default=3000, help="training steps of each model")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the page")
    options = parser.parse_args(argv)
    digits, steps = load_binary_digits(), 5 if options.smoke else options.steps
    plane, deep = (trained(digits.train.x.flatten(1), latents, steps) for latents in (2, 16))
    page = Page("The space of latents of the digits")
    page.heading("A map")
    draw_map(plane, digits.test, page)
    page.heading("Ways from a zero to a seven")
    lengths = ways(plane, digits.test, page)
    page.heading("Arithmetic")
    arithmetic(deep, digits.train, page)
    page.heading("Outliers")
    header = ["against test images", "likelihood", "reconstruction", "divergence", "typicality"]
    rows = outliers(deep, digits.test)
    page.table(header, rows)
    print(table(["way", "Fisher length"], [[name, length] for name, length in lengths.items()]))
    print("\nareas under the ROC curve\n" + table(header, rows))
    print(page.write(options.out / "latent_space.html"))
    return lengths


if __name__ == "__main__":
    main()
