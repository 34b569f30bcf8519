"""Columns of a table: their cells, determinants, ends, and what is read off the data."""

import math

import pytest
import torch

from probgen.distributions import SurjectiveDistribution, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import LowerTriangular
from probgen.distributions.surjections import (
    CategoricalColumn,
    Column,
    ContinuousColumn,
    IntegerColumn,
    Integers,
    MixedColumns,
    columns_of,
    integers,
)
from probgen.distributions.surjections.columns import require_columns, require_finite, require_positive
from probgen.distributions.surjections.table import ColumnKind
from tests.distributions.surjections.maps import COLUMNS, rows

KINDS: list[ColumnKind] = ["continuous", "integer", "ordinal", "categorical"]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_determinants_are_those_of_the_jacobian(column):
    """In the variables (v, r): of a continuous column in v, of the others in r, where v is an integer."""
    assert isinstance(column, Column)
    torch.manual_seed(0)
    for value in (0.0, 1.0, 3.0, 8.0):
        v = torch.tensor(value, dtype=torch.float64)
        if not bool(column.support.check(v)):
            continue
        r = torch.randn(column.num_coordinates, dtype=torch.float64)

        def point(free, column=column, v=v, r=r):
            return column.point(v, free)[0] if column.num_coordinates else column.point(free[0], r)[0]

        free = r if column.num_coordinates else v[None]
        u, log_det = column.point(v, r)
        jacobian = torch.autograd.functional.jacobian(point, free)
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det, rtol=1e-9, atol=1e-9)
        back, inverse = column.coordinates(u)
        torch.testing.assert_close(back, r, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(inverse, -log_det, rtol=1e-8, atol=1e-8)
        assert column.project(u) == v
        assert column.features(v).shape == (column.num_features,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loc", [0.0, 300.0, 4e4])
def test_rounding_never_carries_an_integer_into_the_next_cell(dtype, loc):
    torch.manual_seed(0)
    column = IntegerColumn(loc, 7.3, low=int(loc) - 3)
    v = loc + torch.randint(-3, 50, (5000,)).to(dtype)
    r = 20 * torch.randn(5000, 1, dtype=dtype)
    r[::2] = 1e4
    u, log_det = column.point(v, r)
    assert torch.equal(column.project(u), v)
    assert log_det.isfinite().all()


def test_cells_cover_the_line():
    """The mass of all cells of a range is one: the ends are open."""
    column = IntegerColumn(5.6, 0.8, low=3, high=8)
    u = torch.linspace(-30, 30, 2001, dtype=torch.float64)[:, None]
    r, log_det = column.coordinates(u)
    again, _ = column.point(column.project(u), r)
    torch.testing.assert_close(again, u, rtol=1e-6, atol=1e-6)
    assert log_det.isfinite().all()
    assert column.support.check(column.project(u)).all()


def test_columns_are_read_off_a_table():
    table = torch.tensor([[1.0, 4.0, 3.0, 2.0], [2.0, 4.0, 7.0, 0.0], [6.0, 4.0, 5.0, 0.0]])
    continuous, integer, ordinal, categorical = columns_of(table, KINDS)
    assert isinstance(continuous, ContinuousColumn)
    assert continuous.loc == 3.0
    assert integer == IntegerColumn(4.0, 1.0)
    assert (ordinal.low, ordinal.high) == (3, 7)
    assert categorical == CategoricalColumn(3)
    for wrong, message in ((KINDS[:3], "as many columns"), (["real"] * 4, "`kinds` must be")):
        with pytest.raises(ValueError, match=message):
            columns_of(table, wrong)
    with pytest.raises(ValueError, match=r"must be integers; got 0\.5"):
        columns_of(table[:, :1] - 0.5, ["ordinal"])
    with pytest.raises(ValueError, match=r"must be 0, 1, \.\.\.; got -1"):
        columns_of(table[:, :1] - 2.0, ["categorical"])


def test_arguments_are_checked():
    for make in (lambda: ContinuousColumn(scale=0.0), lambda: IntegerColumn(scale=-1.0), lambda: require_positive(math.nan)):
        with pytest.raises(ValueError, match="`scale` must be positive"):
            make()
    with pytest.raises(ValueError, match="`low`"):
        IntegerColumn(low=3, high=3)
    with pytest.raises(ValueError, match="`categories`"):
        CategoricalColumn(1)
    with pytest.raises(ValueError, match="`columns`"):
        MixedColumns([])
    assert isinstance(integers, Integers)
    assert repr(IntegerColumn(low=0).support) == "Integers(low=0, high=None)"
    assert IntegerColumn(low=0).support.check(torch.tensor([-1.0, 0.0, 0.5])).tolist() == [False, True, False]


def test_only_continuous_columns_make_a_bijector_and_an_exact_density():
    torch.manual_seed(0)
    flow = LowerTriangular(2)
    law = SurjectiveDistribution(standard_normal(2), [flow, MixedColumns([ContinuousColumn(3.0, 2.0), ContinuousColumn()])])
    assert law.log_prob_kind == "exact"
    x = law.rsample((5,))
    u = torch.stack([(x[:, 0] - 3.0) / 2.0, x[:, 1]], -1)
    expected = TransformedDistribution(standard_normal(2), flow).log_prob(u) - math.log(2.0)
    torch.testing.assert_close(law.log_prob(x), expected)


def test_rows_are_valid_and_wrong_rows_are_found():
    law = SurjectiveDistribution(standard_normal(9), MixedColumns(COLUMNS), validate_args=True)
    assert law.transform.width == 9
    drawn = law.sample((1000,))
    assert law.support.check(drawn).all()
    assert law.support.is_discrete
    good = rows(4)
    assert law.bound(good).shape == (4,)
    for column, value in ((1, 0.5), (2, 9.0), (3, -1.0), (4, 3.0)):
        wrong = good.clone()
        wrong[0, column] = value
        with pytest.raises(ValueError, match=r"1 of 4 event\(s\) do not"):
            law.bound(wrong)
    with pytest.raises(ValueError, match="length 9; got 8"):
        SurjectiveDistribution(standard_normal(8), MixedColumns(COLUMNS))


def test_what_is_no_column_and_what_is_not_finite_is_refused():
    with pytest.raises(TypeError, match=r"`columns` must hold columns such as `ContinuousColumn\(\)`; got \['int'\]"):
        MixedColumns([ContinuousColumn(), 3])
    with pytest.raises(ValueError, match="`columns` must hold at least one column"):
        require_columns([])
    for make in (ContinuousColumn, IntegerColumn):
        with pytest.raises(ValueError, match="`loc` must be finite; got nan"):
            make(math.nan)
        with pytest.raises(ValueError, match="`scale` must be positive and finite; got inf"):
            make(0.0, math.inf)
    with pytest.raises(ValueError, match="`table` must hold finite numbers"):
        columns_of(torch.tensor([[1.0], [math.nan]]), ["continuous"])
    require_finite(0.0)
