"""A flow in scikit-learn's form, beside a kernel density estimate and the truth.

`DensityEstimator` has `fit`, `score_samples` and `sample`, and works in scikit-learn's pipelines and searches; scikit-learn
itself is needed only for the comparison.
"""

from __future__ import annotations

import argparse

import torch

from probgen.data.toys import pinwheel
from probgen.flows import neural_spline_coupling
from probgen.infer import DensityEstimator
from probgen.plot import table


def flow(features: int):
    """A spline coupling flow of that many features."""
    return neural_spline_coupling(features, layers=6, hidden=(64, 64))


def main(argv: list[str] | None = None) -> float:
    """Fit, print the mean test log-likelihoods, return that of the flow in nats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one epoch of few data")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    law = pinwheel()
    train, test = law.sample((500 if options.smoke else 5000,)), law.sample((2000,))
    rows = [["the law itself", f"{float(law.log_prob(test).mean()):.3f}"]]
    estimator = DensityEstimator(flow, epochs=1 if options.smoke else 60, learning_rate=2e-3, progress=not options.smoke)
    estimator.fit(train.numpy())
    score = estimator.score(test.numpy())
    rows.append(["spline coupling flow", f"{score:.3f}"])
    try:
        from sklearn.model_selection import GridSearchCV
        from sklearn.neighbors import KernelDensity
    except ImportError:
        print("scikit-learn is not installed: no kernel density estimate")
    else:
        search = GridSearchCV(KernelDensity(), {"bandwidth": [0.05, 0.1, 0.2, 0.4]}, cv=3).fit(train.numpy())
        kernel = search.best_estimator_.score(test.numpy()) / len(test)
        rows.append([f"kernel density, bandwidth {search.best_params_['bandwidth']}", f"{kernel:.3f}"])
    print(table(["", "test log-likelihood, nats a point"], rows))
    print("three draws:", [[round(value, 2) for value in draw] for draw in estimator.sample(3, random_state=0).tolist()])
    return score


if __name__ == "__main__":
    main()
