"""The scikit-learn face."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import probgen as pg
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.infer import DensityEstimator


def affine(features):
    return Affine(shape=(features,))


def flow(features):
    return TransformedDistribution(standard_normal(features), pg.flows.neural_spline_coupling(features=features, layers=2))


def data(rows=400, columns=2):
    return np.random.default_rng(0).normal([1.0, -2.0][:columns], [2.0, 0.5][:columns], size=(rows, columns))


def test_density_is_that_of_the_fitted_gaussian():
    x = data()
    model = DensityEstimator(affine, epochs=5).fit(x)
    z = (x - x.mean(0)) / x.std(0)
    expected = (-0.5 * z**2 - np.log(x.std(0)) - 0.5 * np.log(2 * np.pi)).sum(1)
    assert np.abs(model.score_samples(x) - expected).max() < 0.1
    assert model.score(x) == pytest.approx(model.score_samples(x).mean())


def test_a_distribution_with_a_flow_learns_and_samples():
    state = torch.get_rng_state()
    model = DensityEstimator(flow, epochs=3, learning_rate=1e-2).fit(data())
    draws = model.sample(6, random_state=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert draws.shape == (6, 2)
    assert np.array_equal(draws, model.sample(6, random_state=1))
    assert model.history_.losses[-1] < model.history_.losses[0]
    again = DensityEstimator(flow, epochs=3, learning_rate=1e-2).fit(data())
    assert np.array_equal(again.score_samples(data(5)), model.score_samples(data(5)))


def test_works_inside_scikit_learn():
    model = DensityEstimator(affine, epochs=2)
    assert clone(model).get_params() == model.get_params()
    assert np.isfinite(cross_val_score(model, data(), cv=2)).all()
    search = GridSearchCV(model, {"learning_rate": [1e-3, 1e-1]}, cv=2).fit(data())
    assert search.best_params_["learning_rate"] in (1e-3, 1e-1)
    assert np.isfinite(make_pipeline(StandardScaler(), model).fit(data()).score(data()))


def test_errors():
    model = DensityEstimator(affine, epochs=1)
    with pytest.raises(ValueError, match="not fitted"):
        model.sample()
    with pytest.raises(ValueError, match="no parameter 'depth'"):
        model.set_params(depth=3)
    with pytest.raises(ValueError, match="finite"):
        model.fit([[1.0], [np.nan]])
    with pytest.raises(ValueError, match=r"\[rows, features\]"):
        model.fit([1.0, 2.0])
    with pytest.raises(ValueError, match="at least two rows; got 1"):
        model.fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match="2 columns"):
        model.fit(data()).score_samples(data(columns=1))
    with pytest.raises(TypeError, match="with parameters"):
        DensityEstimator(lambda features: Affine(0.0, 1.0), epochs=1).fit(data())
