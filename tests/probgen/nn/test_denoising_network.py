"""Laws of every denoising network with every kind of context."""

import copy
import functools
import pickle

import pytest
import torch
from torch import nn

from probgen.distributions._checks import ContextError
from probgen.nn import ClassConditioning, DenoisingMLP, DenoisingNetwork, DiT, UNet
from probgen.nn.denoising_network import image_channels, image_shapes, join_image
from tests.probgen.nn.networks import CONDITIONINGS, CONTEXTS, NETWORKS, awake, example

ALL = [(network, context) for network in NETWORKS for context in CONDITIONINGS]
every = pytest.mark.parametrize(("network", "context"), ALL, ids=["-".join(pair) for pair in ALL])
COMPILED = [("unet", "image"), ("dit", "text"), ("mlp", "class"), ("mlp", "vector")]  # by default: a few seconds each
each_network = pytest.mark.parametrize("network", NETWORKS)


def rows(context, index):
    return None if context is None else context[index]


@every
def test_samples_do_not_see_each_other(network, context):
    f, x, levels, c = example(network, context)
    together = f(x, levels, c)
    for i in range(3):
        alone = f(x[i : i + 1], levels[i : i + 1], rows(c, slice(i, i + 1)))
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-5)


@every
def test_no_gradient_crosses_the_batch(network, context):
    f, x, levels, c = example(network, context)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(f(x, levels, c)[0].sum(), x)
    assert slope[0].abs().sum() > 0
    assert torch.equal(slope[1:], torch.zeros_like(slope[1:]))


@every
def test_every_parameter_takes_part(network, context):
    f, x, _, c = example(network, context, count=8)
    f(x, torch.linspace(-5, 5, 8), c).square().sum().backward()
    dead = [name for name, parameter in f.named_parameters() if parameter.grad is None or not parameter.grad.abs().sum() > 0]
    assert not dead


@every
def test_the_context_and_the_noise_level_matter(network, context):
    f, x, levels, c = example(network, context)
    output = f(x, levels, c)
    assert output.isfinite().all()
    assert (f(x, levels - 1.0, c)[0] - output[0]).abs().max() > 1e-4
    assert torch.equal(f(x, levels.clamp(-20, 20), c), output)  # infinities are the ends of the range
    if c is not None:
        null = f(x, levels, f.null_context)
        assert null.isfinite().all()
        assert (null - output).abs().max() > 1e-4


@every
def test_it_starts_at_zero_and_learns_the_rest(network, context):
    torch.manual_seed(1)
    f = NETWORKS[network](CONDITIONINGS[context]())
    x = torch.randn(4, *f.event_shape)
    output = f(x, torch.zeros(4), CONTEXTS[context](4))
    assert torch.equal(output, torch.zeros(4, *f.out_shape))
    output.sum().backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in f.parameters())


@every
def test_vmap(network, context):
    f, _, levels, _ = example(network, context)
    x = torch.randn(2, 3, *f.event_shape)
    c = None if context == "none" else torch.stack([CONTEXTS[context](3) for _ in range(2)])
    looped = torch.stack([f(x[i], levels, rows(c, i)) for i in range(2)])
    mapped = torch.vmap(lambda x: f(x, levels))(x) if c is None else torch.vmap(lambda x, c: f(x, levels, c))(x, c)
    torch.testing.assert_close(mapped, looped, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(f(x, levels, c), looped, rtol=1e-4, atol=1e-5)  # several batch dimensions
    torch.testing.assert_close(f(x[0, 0], levels[0], rows(c, (0, 0))), looped[0, 0], rtol=1e-4, atol=1e-5)  # none


@pytest.mark.parametrize(
    ("network", "context"),
    [pytest.param(*pair, marks=() if pair in COMPILED else pytest.mark.slow, id="-".join(pair)) for pair in ALL],
)
def test_compiles_whole(network, context):
    torch._dynamo.reset()
    f, x, levels, c = example(network, context)
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, levels, c), f(x, levels, c), rtol=1e-4, atol=1e-5)


@every
def test_copies(network, context):
    f, x, levels, c = example(network, context)
    output = f(x, levels, c)
    fresh = NETWORKS[network](CONDITIONINGS[context]())
    fresh.load_state_dict(f.state_dict())
    for twin in (copy.deepcopy(f), pickle.loads(pickle.dumps(f)), fresh):
        assert torch.equal(twin(x, levels, c), output)


@every
def test_double_precision(network, context):
    f, x, levels, c = example(network, context)
    single = f(x, levels, c)
    assert torch.equal(f(x, levels.double(), c), single) or (f(x, levels.double(), c) - single).abs().max() < 1e-3
    f.double()
    wide = f(x.double(), levels.double(), c.double() if c is not None and c.is_floating_point() else c)
    assert wide.dtype == torch.float64
    torch.testing.assert_close(wide.float(), single, rtol=1e-3, atol=1e-3)


@every
def test_empty_batch(network, context):
    f, x, levels, c = example(network, context)
    assert f(x[:0], levels[:0], rows(c, slice(0))).shape == (0, *f.out_shape)


@every
def test_autocast(network, context):
    f, x, levels, c = example(network, context)
    exact = f(x, levels, c)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = f(x, levels, c)
        rough.square().mean().backward()
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()
    assert all(parameter.grad.dtype == torch.float32 for parameter in f.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@every
def test_the_same_on_an_accelerator(network, context):
    f, x, levels, c = example(network, context)
    f.double()
    wide = c.double() if c is not None and c.is_floating_point() else c
    here = f(x.double(), levels.double(), wide)
    there = copy.deepcopy(f).cuda()
    moved = [None if value is None else value.cuda() for value in (x.double(), levels.double(), wide)]
    torch.testing.assert_close(there(*moved).cpu(), here, rtol=1e-9, atol=1e-9)
    assert c is None or there.null_context.is_cuda
    with torch.autocast("cuda", dtype=torch.bfloat16):
        rough = there.float()(x.cuda(), levels.cuda(), moved[2])
    assert rough.dtype == torch.float32
    assert (rough.cpu() - here).abs().max() < 0.1 * here.abs().max()


@each_network
def test_second_and_forward_mode_derivatives(network):
    f, x, _, c = example(network, "text", count=2)
    f, x, levels = f.double(), x.double(), torch.tensor([0.3, -1.0], dtype=torch.float64)

    def summed(x):
        return f(x, levels, c).square().sum()

    v = torch.randn_like(x)
    at = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(summed(at), at, create_graph=True)
    (curve,) = torch.autograd.grad((slope * v).sum(), at)
    step = 1e-5
    ahead, behind = (torch.func.grad(summed)(x + s * v) for s in (step, -step))
    torch.testing.assert_close(curve, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-7)
    tangent = torch.func.jvp(summed, (x,), (v,))[1]
    torch.testing.assert_close(tangent, (slope * v).sum())
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, v)
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(summed(dual)).tangent, tangent)


@each_network
def test_function_transforms(network):
    f, x, levels, c = example(network, "text", count=2)
    f, x = f.double(), x.double()

    def one(x):
        return f(x, levels[:1], c[:1])

    forward = torch.func.jacfwd(one)(x[:1])  # forward mode under vmap, as exact divergences are computed
    torch.testing.assert_close(forward, torch.func.jacrev(one)(x[:1]))

    def loss(parameters, x, level, c):
        return torch.func.functional_call(f, parameters, (x, level, c)).square().sum()

    parameters = dict(f.named_parameters())
    each = torch.vmap(torch.func.grad(loss), (None, 0, 0, 0))(parameters, x, levels, c)
    for i in range(2):
        alone = torch.autograd.grad(loss(parameters, x[i], levels[i], c[i]), list(parameters.values()))
        for name, slope in zip(parameters, alone, strict=True):
            torch.testing.assert_close(each[name][i], slope)


@each_network
def test_shared_level_and_context_are_broadcast(network):
    f, x, _, _ = example(network, "class", count=3)
    one = f(x, torch.tensor(0.5), torch.tensor(2))
    torch.testing.assert_close(one, f(x, torch.full((3,), 0.5), torch.full((3,), 2)), rtol=1e-4, atol=1e-5)


@each_network
def test_wrong_calls_are_named(network):
    f, x, levels, c = example(network, "class")
    with pytest.raises(ValueError, match=r"`x` must have event shape .* got shape \(3, "):
        f(x[..., :-1], levels, c)
    with pytest.raises(TypeError, match=r"`x` must have a floating-point dtype; got torch\.int64"):
        f(x.long(), levels, c)
    with pytest.raises(ValueError, match=r"`log_snr` must have a shape that broadcasts to .*\(3,\) of `x`; got \(2,\)"):
        f(x, levels[:2], c)
    with pytest.raises(ValueError, match=r"got \(3, 1\)"):
        f(x, levels[:, None], c)
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        f(x[:1], levels, c[:1])
    with pytest.raises(TypeError, match=r"`log_snr` must be a torch\.Tensor; got float"):
        f(x, 0.5, c)
    with pytest.raises(TypeError, match=r"`log_snr` must have a floating-point dtype; got torch\.int64"):
        f(x, torch.arange(3), c)
    with pytest.raises(ContextError, match="needs a context"):
        f(x, levels)
    with pytest.raises(ContextError, match="does not broadcast"):
        f(x, levels, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ContextError, match="takes no context"):
        NETWORKS[network](None)(x, levels, c)


@each_network
def test_what_it_declares(network):
    assert NETWORKS[network](None).context_shape is None
    assert NETWORKS[network](None).null_context is None
    f = NETWORKS[network](ClassConditioning(5))
    assert f.context_shape == ()
    assert f.null_context == 5
    assert isinstance(f, DenoisingNetwork)
    assert "null" not in " ".join(f.state_dict())


@pytest.mark.parametrize("make", [lambda c: UNet((1, 8, 8), conditioning=c), lambda c: DenoisingMLP(2, conditioning=c)])
def test_conditionings_are_conditionings(make):
    with pytest.raises(TypeError, match="`conditioning` must be a Conditioning or None; got Linear"):
        make(nn.Linear(1, 1))


def test_channels_last_changes_nothing():
    for network in (UNet((2, 8, 8), width=8, multipliers=(1, 2), blocks=1, heads=2), DiT((2, 8, 8), width=8, depth=1, heads=2)):
        f, x, levels = awake(network), torch.randn(3, 2, 8, 8), torch.randn(3)
        plain = f(x, levels)
        f.to(memory_format=torch.channels_last)
        torch.testing.assert_close(f(x.to(memory_format=torch.channels_last), levels), plain, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(f(x, levels), plain, rtol=1e-4, atol=1e-5)


def note_size(sizes, name, module, args):
    sizes[name] = args[0].std().item()


def test_activations_keep_their_size():
    """At the start and 8 levels deep, nothing between input and output shrinks or grows a hundredfold."""
    for network in (UNet((3, 16, 16), width=32), DiT((3, 16, 16), width=64, depth=8, heads=4)):
        sizes = {}
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.GroupNorm | nn.LayerNorm):
                module.register_forward_pre_hook(functools.partial(note_size, sizes, name))
        network(torch.randn(8, 3, 16, 16), torch.linspace(-8, 8, 8))
        small_or_large = {name: size for name, size in sizes.items() if not 0.03 < size < 3}
        assert len(sizes) > 40
        assert not small_or_large


def test_shapes_of_images():
    assert image_shapes([3, 8, 9], None) == ((3, 8, 9), (3, 8, 9))
    with pytest.raises(ValueError, match=r"`event_shape` must be .* got \(3, 0, 9\)"):
        image_shapes((3, 0, 9), None)


def test_images_are_resized_and_joined():
    x, image = torch.zeros(1, 1, 2, 4), torch.tensor([[[[1.0, 3.0]]]])
    joined = join_image(x, image)
    assert joined[0, 1].tolist() == [[1.0, 1.5, 2.5, 3.0]] * 2
    assert join_image(x, None) is x
    assert image_channels(None) == 0
