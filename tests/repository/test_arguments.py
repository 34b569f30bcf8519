"""The arguments that docstrings list, of every function and class, public or not: each is one that the caller can pass."""

import ast
import re

import pytest

from tests.repository.tree import parse, relative, source_files

ENTRY = re.compile(r"    \*{0,2}(?P<names>\w+(, \*{0,2}\w+)*)( \([^)]*\))?:")


def documented(path):
    """Functions and classes with a docstring that lists arguments, each with those lines."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found = re.search(r"^Args:\n((?:    .*\n|\n)+)", (ast.get_docstring(node) or "") + "\n", re.MULTILINE)
            if found:
                yield node, [line for line in found.group(1).splitlines() if line and not line.startswith("     ")]


def parameters(function):
    listed = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {argument.arg for argument in [*listed, function.args.vararg, function.args.kwarg] if argument}


@pytest.mark.parametrize("path", source_files(), ids=relative)
def test_arguments_listed_are_arguments(path):
    for node, lines in documented(path):
        for line in lines:
            entry = ENTRY.match(line)
            assert entry, f"{path.name}: {node.name} lists {line.strip()!r}; indent what goes on from the line before"
            if isinstance(node, ast.FunctionDef):
                unknown = set(re.findall(r"\w+", entry["names"])) - parameters(node)
                assert not unknown, f"{path.name}: {node.name} takes no {sorted(unknown)}"
