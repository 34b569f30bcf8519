r"""A density model with scikit-learn's verbs.

``DensityEstimator`` turns any flow (a bijector from noise to data, or a whole distribution with parameters) into an
estimator with ``fit``, ``score_samples``, ``score``, ``sample``, ``get_params`` and ``set_params``, so it works in pipelines
and grid searches. It follows the protocol by shape; scikit-learn itself is not needed. Data are standardized first, :math:`u
= (x - m)/s`, which is undone in the density: :math:`\log p(x) = \log p_u(u) - \sum_d \log s_d`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import ArrayLike, NDArray
from pyro.nn import PyroModule
from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.infer.elbo import ELBO
from probgen.infer.fit import fit

__all__ = ["DensityEstimator"]


class DensityEstimator:
    """Maximum likelihood for a flow, in scikit-learn's form.

    Args:
        make: From the number of features to a distribution over vectors of that size whose parameters (``make_parameters``
            finds them in its bijectors) are learned; or to a Bijector, which then maps a standard normal to the data.
        epochs: Passes over the data.
        batch_size: Rows of a batch.
        learning_rate: Of Adam.
        random_state: Seed of initialization, shuffling and noise.
        progress: Show a bar.

    Example:
        >>> import numpy as np
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.infer import DensityEstimator
        >>> x = np.random.default_rng(0).normal(3.0, 2.0, size=(500, 1))
        >>> model = DensityEstimator(lambda features: Affine(shape=(features,)), epochs=5).fit(x)
        >>> round(model.score(x), 1)  # the entropy of N(3, 4) is 2.1 nats
        -2.1
        >>> model.sample(4).shape
        (4, 1)
    """

    def __init__(
        self,
        make: Callable[[int], Any],
        epochs: int = 50,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int = 0,
        progress: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.make = make
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> DensityEstimator:
        """Learn the density of the rows of ``X``; ``y`` is ignored.

        Raises:
            ValueError: ``X`` is not a table of finite numbers with at least two rows.
        """
        data = _table(X)
        if len(data) < 2:
            raise ValueError(f"`X` needs at least two rows; got {len(data)}.")
        self.mean_, self.scale_ = data.mean(0), data.std(0).clamp_min(1e-12)
        self.n_features_in_ = data.shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.model_ = _Flow(self.make(self.n_features_in_), self.n_features_in_)
            batches = _Shuffled((data - self.mean_) / self.scale_, self.batch_size)
            self.history_ = fit(ELBO()(self.model_), batches, self._optimizer, epochs=self.epochs, progress=self.progress)
        self.model_.eval().cpu()
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return log p of each row, in nats."""
        data = self._checked(X)
        with torch.no_grad():
            log_prob = self.model_.law().log_prob((data - self.mean_) / self.scale_) - self.scale_.log().sum()
        return np.asarray(log_prob.double())

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood of the rows, in nats; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, random_state: int | None = None) -> NDArray[np.float64]:
        """Return draws: an array ``[n_samples, features]``."""
        self._require_fitted()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            if random_state is not None:
                torch.manual_seed(random_state)
            draws = self.model_.law().sample((n_samples,))
        return np.asarray((draws * self.scale_ + self.mean_).double())

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Return the constructor's arguments."""
        names = ("make", "epochs", "batch_size", "learning_rate", "random_state", "progress")
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> DensityEstimator:
        """Set constructor arguments.

        Raises:
            ValueError: there is no such argument.
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"DensityEstimator has no parameter {name!r}; it has {sorted(self.get_params())}.")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of an estimator; only ever called by it."""
        from sklearn.utils import Tags, TargetTags  # type: ignore[import-untyped]

        return Tags(estimator_type="density_estimator", target_tags=TargetTags(required=False))

    def _optimizer(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.learning_rate)

    def _require_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise ValueError("this DensityEstimator is not fitted yet; call `fit` first.")

    def _checked(self, X: ArrayLike) -> Tensor:
        self._require_fitted()
        data = _table(X)
        if data.shape[1] != self.n_features_in_:
            raise ValueError(f"`X` must have {self.n_features_in_} columns as in `fit`; got {data.shape[1]}.")
        return data


class _Flow(PyroModule):
    """A learned law of vectors as a Pyro model."""

    def __init__(self, made: Any, features: int) -> None:
        super().__init__()
        self.features = features
        self.given = made if isinstance(made, Distribution) else None
        parts = [made] if self.given is None else list(getattr(made, "transforms", []))
        self.parts = nn.ModuleList([part for part in parts if isinstance(part, nn.Module)])
        if not list(self.parts.parameters()):
            raise TypeError(f"`make` must return a bijector or a distribution with parameters; got {type(made).__name__}.")
        self.register_buffer("anchor", torch.zeros(features))

    def law(self) -> Any:
        """The distribution with the present parameters."""
        if self.given is not None:
            return self.given
        from probgen.distributions import TransformedDistribution

        base = pyro.distributions.Normal(self.anchor, torch.ones_like(self.anchor)).to_event(1)
        return TransformedDistribution(base, self.parts[0])  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> None:
        with pyro.plate("data", len(x)):
            pyro.sample("x", self.law(), obs=x)


class _Shuffled:
    """Minibatches in a new random order in every pass."""

    def __init__(self, data: Tensor, size: int) -> None:
        self.data, self.size = data, size

    def __len__(self) -> int:
        return -(-len(self.data) // self.size)

    def __iter__(self) -> Any:
        return iter(self.data[torch.randperm(len(self.data))].split(self.size))


def _table(X: ArrayLike) -> Tensor:
    array = np.asarray(X, dtype=np.float32)
    if array.ndim != 2:
        raise ValueError(f"`X` must have shape [rows, features]; got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError("`X` must hold finite numbers; some are NaN or infinite.")
    return torch.from_numpy(array.copy())
