"""Whole models in one file: they come back equal, and a file cannot make us run code."""

import os
import pickle

import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule, PyroSample
from safetensors.torch import save_file
from torch import nn
from torch.distributions import biject_to, constraints

import probgen as pg
from probgen.distributions import TransformedDistribution
from probgen.distributions.bijectors import Affine, Compose, Exp, Inverse, Lift
from probgen.infer import UnsafeFileError
from probgen.infer.checkpoint import write_checkpoint
from probgen.infer.storage import read_tree, write_tree
from tests.probgen.infer.programs import Decoder, Gaussian


def round_trip(model, tmp_path, classes=()):
    pg.save(model, tmp_path / "model.safetensors", classes=classes)
    return pg.load(tmp_path / "model.safetensors", classes=classes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Affine(shape=(3,)),
        lambda: Compose(Affine(1.0, 2.0), Exp(), Inverse(Affine(shape=(3,)))),
        lambda: Affine(shape=(3,)) >> Lift(biject_to(constraints.positive)),
        lambda: pg.flows.neural_spline_coupling(features=3, layers=2, hidden=(8,)),
        lambda: pg.flows.masked_autoregressive_flow(features=3, layers=2, hidden=(8,)),
    ],
    ids=["affine", "compose", "lift", "spline coupling", "autoregressive"],
)
def test_bijectors_and_recipes_come_back(make, tmp_path):
    f = make()
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    g = round_trip(f, tmp_path)
    x = torch.randn(4, 3)
    assert type(g) is type(f)
    assert repr(g) == repr(f)
    for a, b in zip(g.forward_and_log_det(x), f.forward_and_log_det(x), strict=True):
        assert torch.equal(a, b)
    assert [name for name, _ in g.named_parameters()] == [name for name, _ in f.named_parameters()]
    g(x).sum().backward()  # its parameters are leaves of their own
    assert all(parameter.grad is None for parameter in f.parameters())


def test_a_distribution_comes_back(tmp_path):
    p = TransformedDistribution(
        dist.Normal(torch.zeros(3), 1.0).to_event(1), pg.flows.neural_spline_coupling(features=3, layers=2)
    )
    q = round_trip(p, tmp_path)
    x = torch.randn(5, 3)
    assert torch.equal(p.log_prob(x), q.log_prob(x))


def test_pyro_modules_sharing_flags_and_plain_attributes_come_back(tmp_path):
    class Inner:
        pass

    net = PyroModule[nn.Linear](2, 2)
    net.bias = PyroSample(dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    model = nn.Module()
    model.decoder, model.again = Decoder(), net
    model.twice = net
    model.options = {"sizes": (1, 2), 3: [None, 0.5, torch.float64, nn.functional.relu, torch.tanh]}
    model.register_buffer("seen", torch.arange(3), persistent=False)
    model.decoder.scale_unconstrained.requires_grad_(False)
    model.eval()
    twin = round_trip(model, tmp_path, classes=[Decoder])
    assert twin.again is twin.twice
    assert twin.options == model.options
    assert torch.equal(twin.seen, model.seen)
    assert "seen" not in twin.state_dict()
    assert not twin.training
    assert not twin.decoder.scale_unconstrained.requires_grad
    assert torch.equal(twin.decoder.scale, model.decoder.scale)
    assert twin.again._pyro_samples.keys() == {"bias"}
    assert type(twin.again) is PyroModule[nn.Linear]
    loss = pg.infer.ELBO()(round_trip(Gaussian(), tmp_path, classes=[Gaussian]))
    assert loss(torch.zeros(2, 3)).isfinite()
    model.bad = Inner()
    with pytest.raises(TypeError, match=r"cannot save `Module\.bad`.*Inner"):
        pg.save(model, tmp_path / "x.safetensors", classes=[Decoder])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: setattr(m, "f", lambda x: x), r"`Gaussian\.f`"),
        (lambda m: m.register_forward_hook(lambda *a: None), "has hooks"),
        (lambda m: setattr(m, "f", os.system), "cannot save"),
    ],
)
def test_what_cannot_be_saved_is_named(spoil, message, tmp_path):
    model = Gaussian()
    spoil(model)
    with pytest.raises(TypeError, match=message):
        pg.save(model, tmp_path / "x.safetensors", classes=[Gaussian])


def test_own_classes_must_be_allowed_by_the_reader(tmp_path):
    pg.save(Gaussian(), tmp_path / "x.safetensors", classes=[Gaussian])
    with pytest.raises(UnsafeFileError, match=r"Gaussian'.*pass the class in `classes=`"):
        pg.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "name", "path": "os.system"},
        {"kind": "name", "path": "torch.load"},
        {"kind": "name", "path": "torch.hub.load"},
        {"kind": "object", "id": 0, "class": "subprocess.Popen", "state": {}},
        {"kind": "object", "id": 0, "class": "torch.nn.functional.relu", "state": {}},
        {"kind": "object", "id": 0, "class": "torch.nn.modules.module.warnings", "state": {}},
        {"kind": "constraint", "name": "__builtins__"},
        {"kind": "call", "id": 0},
        {"kind": "name", "path": "probgen.infer.storage.write_tree"},
        {
            "kind": "object",
            "id": 0,
            "class": "torch.nn.modules.linear.Identity",
            "state": {"_forward_hooks": {"kind": "name", "path": "torch.nn.functional.relu"}},
        },
    ],
)
def test_a_forged_file_is_refused(model, tmp_path):
    write_tree(tmp_path / "x.safetensors", {"format": 1, "version": "0", "model": model})
    with pytest.raises(UnsafeFileError, match="not allowed"):
        pg.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    "tree",
    [
        {"format": 1, "model": {"kind": "again", "id": 7}},
        {"format": 1, "model": {"no": "kind"}},
        {"format": 1, "model": {"kind": "device", "name": "nowhere"}},
        {"format": 1, "model": {"kind": "parameter", "id": 0, "data": "text", "gradient": True}},
        {"format": 1, "model": {"kind": "object", "id": 0, "class": "torch.nn.nowhere.Linear", "state": {}}},
        {"model": {}},
    ],
)
def test_a_damaged_description_is_refused(tree, tmp_path):
    write_tree(tmp_path / "x", tree)
    with pytest.raises(UnsafeFileError):
        pg.load(tmp_path / "x")


@pytest.mark.parametrize("header", ["{oops", '{"__tensor__": "missing"}', '{"__array__": [1]}'])
def test_a_description_that_does_not_fit_the_tensors_is_refused(header, tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "x", {"probgen": header})
    with pytest.raises(UnsafeFileError, match="damaged"):
        read_tree(tmp_path / "x")


def test_pickles_and_other_files_are_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    torch.save(Bomb(), tmp_path / "zip")
    (tmp_path / "pickle").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "noise").write_bytes(b"hello, this is not a model")
    write_checkpoint(tmp_path / "weights", Affine(1.0, 2.0))
    for name, message in {
        "zip": "pickle",
        "pickle": "pickle",
        "noise": "not a safetensors",
        "weights": "not a saved model",
    }.items():
        with pytest.raises(UnsafeFileError, match=message):
            pg.load(tmp_path / name)
    assert not (tmp_path / "exploded").exists()
    with pytest.raises(FileNotFoundError):
        pg.load(tmp_path / "missing")


def test_writing_is_atomic_and_names_what_it_cannot_write(tmp_path):
    path = tmp_path / "a"
    write_tree(path, {"x": 1})
    with pytest.raises(TypeError, match=r"`tree\.x\.0`"):
        write_tree(path, {"x": [object()]})
    assert read_tree(path) == {"x": 1}
    write_tree(path, {"y": (1, float("inf")), 2: torch.tensor(True)})
    assert read_tree(path) == {"y": (1, float("inf")), 2: torch.tensor(True)}
    assert os.listdir(tmp_path) == ["a"]


def test_tensors_of_somebody_else_are_no_model(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UnsafeFileError, match="a safetensors file that probgen did not write"):
        pg.load(tmp_path / "other.safetensors")
