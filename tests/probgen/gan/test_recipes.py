"""Recipes: laws that draw what the critics take, contexts that matter, own parameters, growing."""

import pickle

import pytest
import torch

import probgen as pg
from probgen.gan import GAN, Growing
from probgen.infer import EMA, Adversarial, NonSaturating, fit
from probgen.nn import ClassConditioning, MLPCritic, MLPGenerator, TextConditioning

SMALL = {"channels": 4, "multipliers": (1, 2)}
RECIPES = {
    "mlp_gan": lambda **options: pg.gan.mlp_gan((1, 8, 8), 6, hidden=(8,), **options),
    "mlp_gan(spectral)": lambda **options: pg.gan.mlp_gan((1, 8, 8), 6, hidden=(8,), spectral=True, **options),
    "dcgan": lambda **options: pg.gan.dcgan((1, 8, 8), 6, **SMALL, **options),
    "residual_gan": lambda **options: pg.gan.residual_gan((1, 8, 8), 6, **SMALL, **options),
    "residual_gan(penalized)": lambda **options: pg.gan.residual_gan((1, 8, 8), 6, spectral=False, **SMALL, **options),
    "sagan": lambda **options: pg.gan.sagan((1, 8, 8), 6, **SMALL, **options),
    "biggan_small": lambda **options: pg.gan.biggan_small((1, 8, 8), 6, **SMALL, **options),
    "progressive_gan": lambda **options: pg.gan.progressive_gan((1, 8, 8), 6, **SMALL, **options),
}


@pytest.fixture(params=RECIPES)
def recipe(request):
    torch.manual_seed(0)
    return RECIPES[request.param]


def test_a_critic_takes_what_the_law_draws(recipe):
    law, critic = recipe()
    found = recipe()
    assert isinstance(found, GAN)
    x = law.eval()().sample((2, 3))
    assert x.shape == (2, 3, 1, 8, 8)
    assert critic(x.flatten(0, 1)).shape == (6, 1)
    assert not {id(p) for p in law.parameters()} & {id(p) for p in critic.parameters()}


@pytest.mark.parametrize("kind", ["labels", "captions"])
def test_contexts_matter_to_both_players(recipe, kind):
    if kind == "labels":
        conditioning, contexts = ClassConditioning(3, features=4), torch.tensor([0, 1])
    else:
        conditioning, contexts = TextConditioning(5, 3, width=4, layers=1, heads=1), torch.tensor([[1, 2, 0], [3, 4, 2]])
    law, critic = recipe(conditioning=conditioning)
    law.eval(), critic.eval()
    assert not {id(p) for p in law.parameters()} & {id(p) for p in critic.parameters()}
    assert law.context_shape == conditioning.context_shape
    with torch.no_grad():
        z = torch.randn(1, 6).expand(2, 6)
        first, second = law.generator(z, contexts)
        x = torch.randn(1, 1, 8, 8).expand(2, 1, 8, 8)
        outputs = critic(x, contexts)
    assert (first - second).abs().max() > 1e-7
    assert (outputs[0] - outputs[1]).abs() > 1e-9
    assert law(contexts).sample((3,)).shape == (3, 2, 1, 8, 8)


def test_packs(recipe):
    law, critic = recipe(packing=2)
    loss = Adversarial(NonSaturating(), packing=2)(law, critic)
    assert loss(torch.randn(4, 1, 8, 8), player="critic").isfinite()


def test_one_round_moves_both(recipe):
    law, critic = recipe()
    before = [[parameter.detach().clone() for parameter in network.parameters()] for network in (law, critic)]
    fit(Adversarial(NonSaturating())(law, critic), [torch.randn(4, 1, 8, 8)] * 2, progress=False)
    for network, start in zip((law, critic), before, strict=True):
        assert any((p != q).any() for p, q in zip(network.parameters(), start, strict=True))


def test_laws_pickle_and_save(tmp_path):
    law, _ = RECIPES["mlp_gan"](output=torch.nn.Tanh())
    pg.save(law, tmp_path / "law.safetensors")
    for again in (pickle.loads(pickle.dumps(law)), pg.load(tmp_path / "law.safetensors")):
        torch.manual_seed(1)
        wanted = law().sample((2,))
        torch.manual_seed(1)
        assert torch.equal(again().sample((2,)), wanted)
        assert wanted.abs().max() < 1


def test_networks_of_perceptrons():
    assert MLPGenerator((2, 3), 4)(torch.zeros(0, 4)).shape == (0, 2, 3)
    assert MLPCritic((2, 3)).double()(torch.zeros(5, 2, 3, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match="context"):
        MLPCritic((2,), conditioning=ClassConditioning(3, features=2))(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="`packing`"):
        pg.gan.mlp_gan((2,), packing=0)


def growing_run(folder, steps):
    torch.manual_seed(0)
    law, critic = pg.gan.progressive_gan((1, 8, 8), 4, channels=4, multipliers=(1, 2))
    growing = Growing([law.generator, critic], turns=4)
    seen = []

    class Look(pg.infer.Callback):
        def on_step_end(self, training):
            seen.append((law.generator.stage, critic.stage, round(float(law.generator.fade), 3)))

    average = EMA(law, 0.5)
    torch.manual_seed(1)
    options = {"callbacks": [growing, Look()], "ema": average, "checkpoint": folder, "resume": True, "progress": False}
    fit(Adversarial(NonSaturating())(law, critic), [torch.randn(4, 1, 8, 8)] * 3, steps=steps, **options)
    return law, critic, seen


def test_growing_follows_the_turns_and_a_resumed_run_goes_on(tmp_path):
    law, _, seen = growing_run(tmp_path / "whole", 11)
    assert [stage for stage, _, _ in seen] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert [fade for *_, fade in seen[3:7]] == [0.0, 0.5, 1.0, 1.0]
    assert all(first == second for first, second, _ in seen)
    growing_run(tmp_path / "parts", 5)
    again, _, rest = growing_run(tmp_path / "parts", 11)
    assert rest == seen[5:]
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in law.state_dict().items())


def test_growing_refuses():
    law, critic = pg.gan.progressive_gan((1, 8, 8), 4, channels=4)
    _, larger = pg.gan.progressive_gan((1, 16, 16), 4, channels=4)
    with pytest.raises(ValueError, match="same number of stages"):
        Growing([law.generator, larger], turns=3)
    with pytest.raises(ValueError, match="`turns`"):
        Growing([law.generator, critic], turns=0)
    assert Growing([law.generator, critic], turns=2, fade_share=0.0).stage_and_fade(2) == (1, 1.0)


@pytest.mark.parametrize("recipe_with_attention", [pg.gan.sagan, pg.gan.biggan_small])
def test_attention_finds_a_place_in_small_images(recipe_with_attention):
    law, critic = recipe_with_attention((1, 8, 8), 6, channels=2)
    assert critic(law().sample((2,))).shape == (2, 1)
