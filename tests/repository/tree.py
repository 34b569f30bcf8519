"""What the repository tests walk over: source files, modules, public names."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def source_files() -> list[Path]:
    """Every Python file of the library, by its real path (the link ``probgen/distributions`` is not followed)."""
    mathematics = sorted((ROOT / "distributions").rglob("*.py"))
    models = sorted(path for path in (ROOT / "probgen").rglob("*.py") if (ROOT / "probgen/distributions") not in path.parents)
    return mathematics + models


def files_of_tests() -> list[Path]:
    """Every Python file under ``tests``."""
    return sorted((ROOT / "tests").rglob("*.py"))


def relative(path: Path) -> str:
    """The path from the root, with slashes: also the test id."""
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """The name under which a source file is imported."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "distributions":
        parts.insert(0, "probgen")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def modules() -> list[ModuleType]:
    """Every module of the library, imported."""
    return [importlib.import_module(module_name(path)) for path in source_files() if path.stem != "__main__"]


def public_modules() -> list[ModuleType]:
    """The modules and packages whose dotted name has no part that starts with an underscore."""
    return [module for module in modules() if not any(part.startswith("_") for part in module.__name__.split("."))]


def public_names() -> Iterator[tuple[str, object]]:
    """Each function and class named in some public ``__all__``, once, under the module that defines it."""
    seen: set[int] = set()
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                if (thing.__module__ or "").startswith("probgen"):
                    yield f"{thing.__module__}.{name}", thing


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function with its dotted name, methods and nested functions included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        else:
            yield from functions(node, prefix)


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Lines of a function that hold code: no docstring, no comment line, no blank line; signature included."""
    skipped: set[int] = set()
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        skipped = set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    span = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    texts = [lines[number - 1].strip() for number in span if number not in skipped]
    return sum(bool(text) and not text.startswith("#") for text in texts)
