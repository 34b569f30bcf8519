"""Form of the docstrings: every public name says what it takes, what it refuses, and shows an example that runs."""

import ast
import dataclasses
import doctest
import inspect
import re
import textwrap

import pytest

from tests.repository.tree import public_names

NAMES = dict(public_names())
ORDER = ("Attributes:", "Args:", "Returns:", "Yields:", "Raises:", "References:", "Example:")

pytestmark = pytest.mark.parametrize("name", sorted(NAMES))


def sections(docstring):
    """The section headings, in order, each with its text."""
    pieces = re.split(r"^([A-Z][a-z]+:)$", inspect.cleandoc(docstring), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def described_parameters(thing):
    """The parameters a caller passes, as written: ``self`` aside."""
    if inspect.isclass(thing) and (dataclasses.is_dataclass(thing) or "__init__" not in vars(thing)):
        return []
    target = thing.__init__ if inspect.isclass(thing) else thing
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        return []
    return [parameter.name for parameter in parameters if parameter.name not in ("self", "cls")]


def raised_directly(thing):
    """Names of the errors that a function's own body raises, or a class on construction."""
    written = "__post_init__" if dataclasses.is_dataclass(thing) else "__init__"
    target = vars(thing).get(written) if inspect.isclass(thing) else thing
    if target is None:
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(target)))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    return {call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}


def test_has_a_docstring_of_its_own(name):
    own = vars(NAMES[name]).get("__doc__") if inspect.isclass(NAMES[name]) else NAMES[name].__doc__
    assert own, f"{name} has no docstring"


def test_shows_an_example_that_runs(name):
    if inspect.isclass(NAMES[name]) and issubclass(NAMES[name], BaseException):
        return
    examples = doctest.DocTestParser().get_examples(NAMES[name].__doc__ or "")
    assert examples, f"{name} has no Example"
    assert any(example.want for example in examples), f"the Example of {name} shows no result"
    assert "Example:" in sections(NAMES[name].__doc__), f"the example of {name} stands outside an `Example:` section"


def test_sections_stand_in_order(name):
    found = [heading for heading in sections(NAMES[name].__doc__ or "") if heading in ORDER]
    assert found == sorted(found, key=ORDER.index), f"{name}: {found}; the order is {ORDER}"


def test_every_parameter_is_described(name):
    wanted = described_parameters(NAMES[name])
    text = sections(NAMES[name].__doc__ or "")
    described = text.get("Args:", "") + text.get("Attributes:", "")
    missing = [parameter for parameter in wanted if not re.search(rf"^\s+\**{parameter}\b.*:", described, re.MULTILINE)]
    assert not missing, f"{name} does not describe {missing}"


def test_every_raised_error_is_described(name):
    raised = raised_directly(NAMES[name]) - {"NotImplementedError", "AssertionError", "AttributeError"}
    described = sections(NAMES[name].__doc__ or "").get("Raises:", "")
    missing = sorted(error for error in raised if error not in described)
    assert not missing, f"{name} raises {missing} without saying so"
