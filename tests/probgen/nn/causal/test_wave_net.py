"""WaveNet: steps, receptive field, contexts, lengths, heads, and a law with mass one."""

import copy
import pickle

import pytest
import torch

from probgen.distributions import Autoregressive, Quantization
from probgen.distributions.elements import CategoricalElement, DiscretizedLogisticElement, DiscretizedLogisticMixtureElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn import WaveNet
from probgen.nn.causal import SequenceEntry, Stream

SMALL = {"dilations": 2, "stacks": 2, "channels": 4}
KINDS = {
    "codes": {"values": 5},
    "numbers, two at a position, three taps": {"values": None, "num_outputs": 2, "inputs": 2, "kernel_size": 3},
    "global context": {"values": 5, "context_shape": (3,)},
    "local context": {"values": 5, "local_shape": (2, 3)},
    "both contexts": {"values": 5, "context_shape": (1, 2), "local_shape": (2, 3)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_steps_sweeps_and_the_parallel_pass_agree(kind, batch):
    torch.manual_seed(0)
    network = WaveNet(7, **SMALL, **KINDS[kind]).double()
    values = torch.randint(0, 5, (*batch, 7 * network.num_inputs)).double()
    context = None if network.context_shape is None else torch.randn(*batch, *network.context_shape).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-12)
    levels_are_parallel(network, values, context)
    states_do_not_mix(network, values, 4 - values, context)


@pytest.mark.parametrize(("kernel", "reach"), [(2, 2047), (3, 4093)])
def test_the_receptive_field_of_the_paper(kernel, reach):
    assert WaveNet(kernel_size=kernel, channels=2).receptive_field == reach


@pytest.mark.parametrize("kernel", [2, 3])
def test_exactly_the_receptive_field_is_seen(kernel):
    torch.manual_seed(0)
    network = WaveNet(24, 1, values=None, dilations=2, stacks=2, kernel_size=kernel, channels=6).double()
    values = torch.randn(8, 24).double().requires_grad_()
    (gradient,) = torch.autograd.grad(network(values)[:, -1].sum(), values)
    reach = 1 + 2 * (kernel - 1) * 3
    assert network.receptive_field == reach
    seen = (gradient != 0).any(0)
    assert seen.tolist() == [23 - reach <= k < 23 for k in range(24)]


def test_a_window_of_the_receptive_field_is_enough():
    torch.manual_seed(0)
    network = WaveNet(40, values=6, **SMALL).double()
    codes, heard = torch.randint(0, 6, (3, 40)).double(), network.receptive_field
    window = network.with_length(heard + 1)(codes[:, 30 - heard : 31])
    torch.testing.assert_close(window[:, -1], network(codes)[:, 30])


def test_another_length_shares_the_parameters():
    network = WaveNet(12, values=5, local_shape=(2, 3), **SMALL)
    other = network.with_length(9)
    assert (other.features, other.context_shape, other.frames) == (9, (2, 3), 3)
    assert (network.features, network.context_shape) == (12, (2, 3))
    assert network.with_length(13).context_shape == (2, 4)
    with torch.no_grad():
        network.entry.start.fill_(2.0)
    assert other.entry.start[0] == 2
    network.double()
    assert all(mine is theirs for mine, theirs in zip(network.parameters(), other.parameters(), strict=True))
    codes, context = torch.randint(0, 5, (4, 12)).double(), torch.randn(4, 2, 3).double()
    torch.testing.assert_close(other(codes[:, :9], context), network(codes, context)[:, :9])
    with pytest.raises(ValueError, match="`length` must be positive; got 0"):
        network.with_length(0)


def test_frames_are_repeated_before_training():
    network = WaveNet(7, values=5, local_shape=(2, 3), **SMALL)
    frames = torch.randn(4, 2, 3)
    torch.testing.assert_close(network.upsample(frames, 7), frames.repeat_interleave(3, -1)[..., :7])


def test_both_contexts_are_packed_into_one():
    network = WaveNet(7, values=5, context_shape=(1, 2), local_shape=(2, 3), **SMALL).double()
    told, frames = torch.randn(4, 1, 2).double(), torch.randn(2, 3).double()
    context = network.pack_context(told, frames)
    assert network.context_shape == (8,)
    assert context.shape == (4, 8)
    codes = torch.zeros(4, 7).double()
    base, moved = network(codes, context), network(codes, network.pack_context(told, frames + torch.eye(2, 3)))
    assert not torch.allclose(base, moved)
    later = frames.clone()
    later[:, 2] += 1  # the last frame stands for position 6 only
    assert torch.equal(base[:, :6], network(codes, network.pack_context(told, later))[:, :6])
    assert not torch.allclose(base, network(codes, network.pack_context(told + 1, frames)))


@pytest.mark.parametrize("name", ["categorical", "logistic", "mixture"])
def test_the_mass_of_a_law_on_three_samples_is_one(name):
    torch.manual_seed(0)
    levels = Quantization(4, -1.0, 1.0)
    element = {
        "categorical": CategoricalElement(4),
        "logistic": DiscretizedLogisticElement(levels),
        "mixture": DiscretizedLogisticMixtureElement(levels, components=2, channels=None),
    }[name]
    values = 4 if name == "categorical" else None
    network = WaveNet(3, element.num_parameters, values=values, **SMALL).double()
    law = Autoregressive(network, (3,), element)
    rows = torch.arange(4.0).double() if name == "categorical" else levels.centers(torch.float64)
    table = torch.cartesian_prod(rows, rows, rows)
    assert float(law.log_prob(table).logsumexp(0).detach().abs()) < 1e-12
    assert torch.isfinite(law.log_prob(law.sample((5,)))).all()


def test_the_program_of_the_design():
    network = WaveNet(values=256, dilations=10, stacks=2)
    law = Autoregressive(network, event_shape=(16000,), element=CategoricalElement(256))
    assert law.event_shape == (16000,)
    assert sum(parameter.numel() for parameter in network.parameters()) == 173312


def test_copies_and_files():
    torch.manual_seed(0)
    network = WaveNet(7, values=5, **SMALL)
    codes = torch.randint(0, 5, (2, 7)).float()
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(codes), network(codes))
    fresh = WaveNet(7, values=5, **SMALL)
    fresh.load_state_dict(network.state_dict())
    assert torch.equal(fresh(codes), network(codes))


def test_all_parameters_learn():
    torch.manual_seed(0)
    network = WaveNet(9, values=5, context_shape=(2,), **SMALL)
    network(torch.randint(0, 5, (6, 9)).float(), torch.randn(6, 2)).square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in network.parameters())


def test_codes_that_do_not_exist_do_not_crash():
    entry = SequenceEntry(3, values=4)
    canvas = torch.tensor([[[-1.0, 7.0, float("nan"), 0.0]]])
    assert torch.isfinite(entry(canvas)).all()
    assert torch.equal(entry(canvas[..., :1], Stream(0))[0], entry.start)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`num_outputs` given where there are no codes; got 10, 2, 64 and None"):
        WaveNet(8, values=None)
    with pytest.raises(ValueError, match=r"must be positive, .* got 10, 0, 64 and None"):
        WaveNet(8, stacks=0)
    with pytest.raises(ValueError, match="codes stand one at a position; got 32, 256 and 2"):
        WaveNet(8, inputs=2)


def test_the_parallel_pass_is_the_formula():
    torch.manual_seed(0)
    network = WaveNet(9, 2, values=None, context_shape=(3,), **SMALL).double()
    values, told = torch.randn(5, 9).double(), torch.randn(5, 3).double()
    h, speech = network.entry(values.unsqueeze(1), None), 0
    maps = network.head[0].weight.flatten(1).split(4, 1)
    for layer, skip in zip(network.layers, maps, strict=True):
        y = layer.conv(h) + (told @ layer.context.linear.weight.T).unsqueeze(-1)
        z = y[:, :4].tanh() * y[:, 4:].sigmoid()
        speech = speech + torch.einsum("oc,nct->not", skip, z)
        h = h if layer.residual is None else h + layer.residual(z)
    speech = speech + network.head[0].bias.unsqueeze(-1)
    torch.testing.assert_close(network(values, told).mT, network.head[1:](speech))


def test_declared_frames_are_the_frames_that_are_told():
    for length, frames in ((12, 3), (7, 3), (10, 5), (2, 2), (5, 1)):
        assert WaveNet(length, values=5, local_shape=(2, frames), **SMALL).context_shape == (2, frames)
    with pytest.raises(ValueError, match="of 7 frames of 2 positions they need 5"):
        WaveNet(10, values=5, local_shape=(2, 7), **SMALL)
    with pytest.raises(ValueError, match="`local_shape` must be positive"):
        WaveNet(10, values=5, local_shape=(2, 0), **SMALL)
