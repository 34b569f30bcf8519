"""The public surface: listed, unambiguous, documented, and covered by the case table."""

import inspect
import re

import pytest
from torch.distributions import Distribution

from probgen.distributions.bijectors import Bijector, IncrementalNetwork
from tests.cases import BIJECTORS, DISTRIBUTIONS, NETWORKS
from tests.repository import api
from tests.repository.tree import ROOT, public_modules, public_names

MODULES = {module.__name__: module for module in public_modules()}
PACKAGES = sorted(name for name, module in MODULES.items() if hasattr(module, "__path__") and getattr(module, "__all__", None))
CLASSES = {name: thing for name, thing in public_names() if inspect.isclass(thing)}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_all_resolves(name):
    module = MODULES[name]
    listed = list(getattr(module, "__all__", []))
    assert len(listed) == len(set(listed)), f"{name}.__all__ names something twice"
    for entry in listed:
        assert hasattr(module, entry), f"{name}.__all__ names {entry}, which does not exist"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_module_says_what_it_is(name):
    assert MODULES[name].__doc__, f"{name} has no docstring"


def test_one_name_is_one_thing():
    owners: dict[str, dict[int, str]] = {}
    for package in PACKAGES:
        for name in MODULES[package].__all__:
            thing = getattr(MODULES[package], name)
            if not inspect.ismodule(thing):
                owners.setdefault(name, {})[id(thing)] = package
    clashes = {name: sorted(places.values()) for name, places in owners.items() if len(places) > 1}
    assert not clashes, f"one name, several things: {clashes}"


def _built(cases):
    """The classes of the objects that the case table builds, with those that they are composed of."""
    classes = set()
    for case in cases.values():
        made = case.make()
        classes.add(type(made))
        for part in getattr(made, "modules", list)():
            classes.add(type(part))
    return classes


@pytest.mark.parametrize(
    ("kind", "cases"), [(Bijector, BIJECTORS), (Distribution, DISTRIBUTIONS)], ids=["bijector", "distribution"]
)
def test_every_public_class_has_a_case(kind, cases):
    concrete = {
        cls for cls in CLASSES.values() if issubclass(cls, kind) and "(abstract)" not in (cls.__doc__ or "").split("\n\n")[0]
    }
    missing = sorted(cls.__name__ for cls in concrete - _built(cases))
    assert not missing, f"no row of tests/cases builds {missing}"


def test_every_public_network_has_a_case():
    concrete = {
        cls
        for cls in CLASSES.values()
        if issubclass(cls, IncrementalNetwork) and "(abstract)" not in (cls.__doc__ or "").split("\n\n")[0]
    }
    missing = sorted(cls.__name__ for cls in concrete - {type(make()) for make in NETWORKS.values()})
    assert not missing, f"no row of NETWORKS in tests/cases/causal_networks.py builds {missing}"


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "probgen"])
def test_every_public_package_has_an_api_page(package):
    parent = MODULES[package.rpartition(".")[0]]
    if set(MODULES[package].__all__) <= set(parent.__all__):
        return  # described with its parent
    pages = "".join(path.read_text() for path in (ROOT / "docs/api").glob("*.md"))
    assert re.search(rf"^{re.escape(package)}$|automodule:: {re.escape(package)}$", pages, re.MULTILINE), (
        f"docs/api names {package} nowhere"
    )


def test_the_surface_is_frozen():
    changes = api.difference(api.FROZEN.read_text(encoding="utf-8").splitlines(), api.lines())
    if changes:
        advice = (
            "if that is meant, say what changes for users in docs/changes/ and run `python -m tests.repository.api --write`"
        )
        pytest.fail(f"the public surface is not the frozen one; {advice}:\n" + "\n".join(changes), pytrace=False)


def test_the_surface_shows_what_users_rely_on():
    class Base:
        def inherited(self, x: int) -> int: ...

    class Thing(Base):
        size: int

        def __init__(self, a: float, /, b: str = "b", *, c: tuple[int, ...] = (1,)) -> None: ...

        @property
        def width(self) -> float: ...

        @classmethod
        def of(cls, *items: int, **options: str) -> None: ...

        def _internal(self): ...

    Base.__module__ = Base.inherited.__module__ = "probgen.example"
    assert list(api.of_class("probgen.Thing", Thing, set())) == [
        "class probgen.Thing(Base)",
        "probgen.Thing.__init__(a: float, /, b: str = 'b', *, c: tuple[int, ...] = (1,))",
        "probgen.Thing.inherited(x: int) -> int",
        "probgen.Thing.of(*items: int, **options: str) -> None (class)",
        "probgen.Thing.size: int",
        "probgen.Thing.width: float (property)",
    ]
    assert list(api.of_class("probgen.Thing", Thing, {Base}))[2].startswith("probgen.Thing.of")


def test_a_changed_name_shows_what_it_was_and_what_it_is():
    frozen, present = ["probgen.f(x: int)", "probgen.gone()"], ["class probgen.New()", "probgen.f(y: int)"]
    assert api.difference(frozen, present) == [
        "+ class probgen.New()",
        "- probgen.f(x: int)",
        "+ probgen.f(y: int)",
        "- probgen.gone()",
    ]
    assert not api.difference(frozen, frozen)
