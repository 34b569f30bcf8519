"""The registry of all laws: name to law, in the order of the property catalogue.

Laws of bijectors: rows R, L, S, C, M, N, P, T, V, K, H, E and Q of the catalogue. Laws of distributions: rows Q, D, PY and
the structural rows again. Laws of incremental networks: row M, and the structural rows once more. Each entry's ``statement`` is
one sentence for people.
"""

from __future__ import annotations

from probgen.distributions.testing import (
    laws_autoregressive,
    laws_bounds,
    laws_density,
    laws_distribution,
    laws_errors,
    laws_gradient,
    laws_incremental,
    laws_inverse,
    laws_log_det,
    laws_marginal,
    laws_mass,
    laws_moments,
    laws_network,
    laws_network_object,
    laws_numerics,
    laws_placement,
    laws_pyro,
    laws_samples,
    laws_shape,
    laws_state,
    laws_tails,
    laws_transforms,
)
from probgen.distributions.testing.law import Law

__all__ = ["BIJECTOR_LAWS", "DISTRIBUTION_LAWS", "LAWS", "NETWORK_LAWS"]

BIJECTOR_LAWS: tuple[Law, ...] = (
    *laws_inverse.LAWS,
    *laws_log_det.LAWS,
    *laws_mass.LAWS,
    *laws_shape.LAWS,
    *laws_incremental.LAWS,
    *laws_numerics.LAWS,
    *laws_tails.LAWS,
    *laws_placement.LAWS,
    *laws_transforms.LAWS,
    *laws_state.LAWS,
    *laws_errors.LAWS,
)

DISTRIBUTION_LAWS: tuple[Law, ...] = (
    *laws_density.LAWS,
    *laws_samples.LAWS,
    *laws_gradient.LAWS,
    *laws_moments.LAWS,
    *laws_distribution.LAWS,
    *laws_bounds.LAWS,
    *laws_marginal.LAWS,
    *laws_autoregressive.LAWS,
    *laws_pyro.LAWS,
)

NETWORK_LAWS: tuple[Law, ...] = (*laws_network.LAWS, *laws_network_object.LAWS)

LAWS: dict[str, Law] = {law.name: law for law in (*BIJECTOR_LAWS, *DISTRIBUTION_LAWS, *NETWORK_LAWS)}
