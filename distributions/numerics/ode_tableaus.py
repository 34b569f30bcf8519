r"""Explicit Runge-Kutta methods, each written down as its table of coefficients (Butcher's tableau).

A method with :math:`s` stages for :math:`\mathrm dy/\mathrm dt = f(t, y)` takes a step of length :math:`h` by

.. math::

    k_i = f\Big(t + c_i h,\; y + h \sum_{j < i} a_{ij} k_j\Big), \qquad y_{\text{new}} = y + h \sum_i b_i k_i .

It has order :math:`p` if the error of one step is :math:`O(h^{p+1})`, hence that of a fixed time :math:`O(h^p)`. A pair with a
second set of weights :math:`\hat b` of lower order estimates the error of its own step, :math:`h \sum_i (b_i - \hat b_i) k_i`.

=========  =====  ======  ====================================================================================
name       order  stages  method
=========  =====  ======  ====================================================================================
euler      1      1       Euler
midpoint   2      2       explicit midpoint rule
heun       2      2       Heun's trapezoidal rule
rk4        4      4       the classical method of Kutta
dopri5     5      6       Dormand and Prince; a seventh stage, the first of the next step, estimates the error
verner8    8      11      Cooper and Verner: for float64 results at the level of rounding
=========  =====  ======  ====================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["MethodName", "Tableau", "tableau_named"]

MethodName = Literal["euler", "midpoint", "heun", "rk4", "dopri5", "verner8"]
"""Names of the explicit Runge-Kutta methods."""

Row = tuple[float, ...]


@dataclass(frozen=True)
class Tableau:
    r"""The coefficients of one explicit Runge-Kutta method.

    Attributes:
        order: The order :math:`p`.
        nodes: The :math:`c_i`, one for each stage.
        matrix: The rows :math:`a_{ij}`, :math:`j < i`; the first is empty.
        weights: The :math:`b_i`.
        error_weights: The :math:`b_i - \hat b_i` of an embedded pair, one more than there are stages: the last belongs to the
            slope at the end of the step. Empty if the method has no error estimate.

    Example:
        >>> from probgen.distributions.numerics.ode_tableaus import tableau_named
        >>> heun = tableau_named("heun")
        >>> heun.order, heun.nodes, heun.matrix, heun.weights
        (2, (0.0, 1.0), ((), (1.0,)), (0.5, 0.5))
    """

    order: int
    nodes: Row
    matrix: tuple[Row, ...]
    weights: Row
    error_weights: Row = ()


def tableau_named(method: str) -> Tableau:
    """Return the coefficients of a method.

    Args:
        method: "euler", "midpoint", "heun", "rk4", "dopri5" or "verner8".

    Raises:
        ValueError: there is no such method.

    References:
        Hairer, Nørsett, Wanner (1993). Solving ordinary differential equations I. https://doi.org/10.1007/978-3-540-78862-1
        Dormand, Prince (1980). A family of embedded Runge-Kutta formulae. https://doi.org/10.1016/0771-050X(80)90013-3
        Cooper, Verner (1972). Some explicit Runge-Kutta methods of high order. https://doi.org/10.1137/0709037

    Example:
        >>> from probgen.distributions.numerics.ode_tableaus import tableau_named
        >>> tableau_named("rk4").order, len(tableau_named("dopri5").weights)
        (4, 6)
    """
    if method not in _TABLEAUS:
        raise ValueError(f"`method` must be one of {sorted(_TABLEAUS)}; got {method!r}.")
    return _TABLEAUS[method]


_DOPRI5 = Tableau(
    order=5,
    nodes=(0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
    matrix=(
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    weights=(35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    error_weights=(71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
)


def _verner8() -> Tableau:
    r = math.sqrt(21.0)
    return Tableau(
        order=8,
        nodes=(0, 1 / 2, 1 / 2, (7 + r) / 14, (7 + r) / 14, 1 / 2, (7 - r) / 14, (7 - r) / 14, 1 / 2, (7 + r) / 14, 1),
        matrix=(
            (),
            (1 / 2,),
            (1 / 4, 1 / 4),
            (1 / 7, (-7 - 3 * r) / 98, (21 + 5 * r) / 49),
            ((11 + r) / 84, 0, (18 + 4 * r) / 63, (21 - r) / 252),
            ((5 + r) / 48, 0, (9 + r) / 36, (-231 + 14 * r) / 360, (63 - 7 * r) / 80),
            ((10 - r) / 42, 0, (-432 + 92 * r) / 315, (633 - 145 * r) / 90, (-504 + 115 * r) / 70, (63 - 13 * r) / 35),
            (1 / 14, 0, 0, 0, (14 - 3 * r) / 126, (13 - 3 * r) / 63, 1 / 9),
            (1 / 32, 0, 0, 0, (91 - 21 * r) / 576, 11 / 72, (-385 - 75 * r) / 1152, (63 + 13 * r) / 128),
            (1 / 14, 0, 0, 0, 1 / 9, (-733 - 147 * r) / 2205, (515 + 111 * r) / 504, (-51 - 11 * r) / 56, (132 + 28 * r) / 245),
            (
                *(0, 0, 0, 0, (-42 + 7 * r) / 18, (-18 + 28 * r) / 45, (-273 - 53 * r) / 72),
                *((301 + 53 * r) / 72, (28 - 28 * r) / 45, (49 - 7 * r) / 18),
            ),
        ),
        weights=(1 / 20, 0, 0, 0, 0, 0, 0, 49 / 180, 16 / 45, 49 / 180, 1 / 20),
    )


_TABLEAUS = {
    "euler": Tableau(order=1, nodes=(0.0,), matrix=((),), weights=(1.0,)),
    "midpoint": Tableau(order=2, nodes=(0.0, 0.5), matrix=((), (0.5,)), weights=(0.0, 1.0)),
    "heun": Tableau(order=2, nodes=(0.0, 1.0), matrix=((), (1.0,)), weights=(0.5, 0.5)),
    "rk4": Tableau(
        order=4,
        nodes=(0.0, 0.5, 0.5, 1.0),
        matrix=((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
    "dopri5": _DOPRI5,
    "verner8": _verner8(),
}
