"""Causal attention: against the formula, at one position against all positions, and its derivatives."""

import math

import pytest
import torch

from probgen.nn.attention import differentiable_attention
from probgen.nn.causal import CausalAttention, Stream
from probgen.nn.causal.causal_attention import rotary_angles, rotated

OPTIONS = {
    "plain": {},
    "strict": {"strict": True},
    "rotary": {"rotary": True},
    "strict and rotary": {"strict": True, "rotary": True},
    "source": {"source_channels": 3, "width": 8, "out_channels": 5},
    "strict, source": {"source_channels": 3, "strict": True},
}


def made(name, length=6):
    torch.manual_seed(0)
    attention = CausalAttention(4, 2, length, **OPTIONS[name]).double()
    x = torch.randn(3, 4, length).double()
    source = torch.randn(3, 3, length).double() if attention.source_channels else None
    return attention, x, source


def streamed(attention, x, source, *, in_place):
    memory, columns = None, []
    for position in range(x.shape[-1]):
        stream = Stream(position, memory, in_place=in_place)
        column = None if source is None else source[:, :, position]
        columns.append(attention(x[:, :, position], stream, column))
        memory = stream.memory
    return torch.stack(columns, -1)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("in_place", [True, False])
def test_a_step_is_the_parallel_pass_at_a_position(name, in_place):
    attention, x, source = made(name)
    with torch.no_grad():
        torch.testing.assert_close(streamed(attention, x, source, in_place=in_place), attention(x, None, source))


@pytest.mark.parametrize("strict", [False, True])
def test_it_is_the_formula(strict):
    attention, x, _ = made("strict" if strict else "plain")
    query, key, value = attention.query_key_value(x.mT).chunk(3, -1)
    expected = torch.zeros(3, 6, 4).double()
    for head in range(2):
        part = slice(2 * head, 2 * head + 2)
        for t in range(6):
            keys, values = key[:, : t + 1 - strict, part], value[:, : t + 1 - strict, part]
            if strict:
                first = attention.start[:, head].unsqueeze(1).expand(-1, 3, -1, -1)
                keys, values = torch.cat([first[0], keys], 1), torch.cat([first[1], values], 1)
            weights = ((query[:, t, None, part] * keys).sum(-1) / math.sqrt(2)).softmax(-1)
            expected[:, t, part] = (weights.unsqueeze(-1) * values).sum(1)
    torch.testing.assert_close(attention(x), attention.output(expected).mT)


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_seen_is_a_triangle(name):
    attention, x, source = made(name)
    seen = x if source is None else source
    jacobian = torch.autograd.functional.jacobian(
        lambda given: attention(x if source is not None else given, None, source if source is None else given).sum((0, 1)), seen
    )
    reached = jacobian.abs().sum((1, 2)) > 0
    offset = -1 if attention.strict else 0
    wanted = torch.ones(6, 6).tril(offset).bool()
    if attention.strict and source is None:
        wanted = wanted | torch.eye(6).bool()  # the query sees its own position
        wanted[0, 0] = False  # with one key the softmax is 1 whatever the query is
    assert torch.equal(reached, wanted)


def test_images_are_sequences_in_raster_order():
    attention, x, _ = made("plain")
    torch.testing.assert_close(attention(x.unflatten(2, (2, 3))).flatten(2), attention(x))


def test_rotary_attention_knows_distances_only():
    torch.manual_seed(0)
    angles = rotary_angles(torch.arange(12), 2, torch.float64)
    query, key = torch.randn(2, 12, 2).double()
    scores = rotated(query[:1].expand(12, 2), angles) @ rotated(key[:1].expand(12, 2), angles).mT
    for k in range(11):
        torch.testing.assert_close(scores.diagonal(k), scores[0, k].expand(12 - k))
    assert (scores[0, 1:] - scores[0, :-1]).abs().min() > 1e-6
    torch.testing.assert_close(rotated(query, angles).norm(dim=-1), query.norm(dim=-1))


def test_second_derivatives_and_vmap():
    attention, x, _ = made("strict")
    x.requires_grad_()
    with differentiable_attention(x):
        (slope,) = torch.autograd.grad(attention(x).square().sum(), x, create_graph=True)
        assert torch.autograd.grad(slope.square().sum(), x)[0].isfinite().all()
    many = torch.randn(2, 3, 4, 6).double()

    def one(given):
        with differentiable_attention(given):
            return attention(given)

    torch.testing.assert_close(torch.func.vmap(one)(many), torch.stack([attention(each) for each in many]))
    _, tangent = torch.func.jvp(one, (many[0],), (many[1],))
    nearby = (attention(many[0] + 1e-6 * many[1]) - attention(many[0] - 1e-6 * many[1])) / 2e-6
    torch.testing.assert_close(tangent, nearby, atol=1e-7, rtol=1e-5)


def test_the_memory_is_two_tables_allocated_once():
    attention, x, _ = made("plain")
    first = Stream(0, in_place=True)
    with torch.no_grad():
        attention(x[:, :, 0], first)
        (tables,) = first.memory
        second = Stream(1, first.memory, in_place=True)
        attention(x[:, :, 1], second)
    assert [table.shape for table in tables] == [(3, 2, 2, 6), (3, 2, 6, 2)]
    assert all(new is old for new, old in zip(second.memory[0], tables, strict=True))
    assert tables[1][:, :, 2:].abs().sum() == 0 < tables[1][:, :, 1].abs().sum()


def test_an_empty_batch():
    attention, _, _ = made("strict")
    assert attention(torch.zeros(0, 4, 6).double()).shape == (0, 4, 6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must divide the width; got 4, 3, 6 and the width 4"):
        CausalAttention(4, 3, 6)
    with pytest.raises(ValueError, match="the width of a head must be even; got 1"):
        CausalAttention(4, 4, 6, rotary=True)
    with pytest.raises(ValueError, match="`source` goes with"):
        CausalAttention(4, 2, 6)(torch.zeros(1, 4, 6), None, torch.zeros(1, 4, 6))


def test_rotary_positions_turn_pairs_by_their_angle():
    pair = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    angles = rotary_angles(torch.arange(3), 4, torch.float64)
    slow, fast = torch.tensor([2 * 10_000.0**-0.5, 2.0], dtype=torch.float64)
    wanted = torch.stack([fast.cos(), fast.sin(), -slow.sin(), slow.cos()])
    torch.testing.assert_close(rotated(pair, angles[:, 2]), wanted)
