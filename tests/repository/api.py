"""The public surface as text: one line for each name that a user can reach, with its signature.

``python -m tests.repository.api`` prints it, ``--write`` freezes it in ``public_api.txt``. A name stands under the shortest
path by which it is exported; a class is followed by its construction and by its public methods, properties and fields, those of
private bases included; a table is shown by its keys. Annotations are the source's own words.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.repository.tree import public_modules

FROZEN = Path(__file__).with_name("public_api.txt")


def exported() -> dict[str, object]:
    """Each public thing of the library under its shortest path; the alphabet decides between two of one length."""
    paths: dict[tuple[str, int], str] = {}
    things: dict[str, object] = {}
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            thing, path = getattr(module, name), f"{module.__name__}.{name}"
            if not inspect.ismodule(thing):
                things[path] = thing
                paths[name, id(thing)] = min(path, paths.get((name, id(thing)), path), key=lambda path: (path.count("."), path))
    return {path: things[path] for path in paths.values()}


def annotation(value: object) -> str:
    """A type as the source writes it."""
    if isinstance(value, typing.ForwardRef):
        return value.__forward_arg__
    return value if isinstance(value, str) else re.sub(r"\b(typing|builtins)\.", "", inspect.formatannotation(value))


def default(value: object) -> str:
    """A default without addresses of this process."""
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return repr(value)
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(default, value)) + ("," if len(value) == 1 else "") + ")"
    named = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return named or re.sub(r" at 0x[0-9a-f]+", "", repr(value)).splitlines()[0]


def constant(value: object) -> str:
    """A type as written, a table by its keys, a number or word itself, anything else by its type."""
    if typing.get_origin(value) is not None or isinstance(value, types.UnionType):
        return "type " + re.sub(r"[a-z_]+\.(?=[a-zA-Z_])", "", str(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(map(repr, value)) + "}"
    return repr(value) if _plain(value) else type(value).__name__


def _plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str | None) or (isinstance(value, tuple) and all(map(_plain, value)))


def signature(thing: object, *, bound: bool = False) -> str:
    """``(a: Tensor, *, b: int = 1) -> Tensor``; of a method without ``self``."""
    given = inspect.signature(thing)
    shown = []
    parameters = list(given.parameters.values())[int(bound) :]
    for index, parameter in enumerate(parameters):
        text = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {default(parameter.default)}"
        earlier = {before.kind for before in parameters[:index]}
        if parameter.kind == parameter.KEYWORD_ONLY and not earlier & {parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL}:
            shown.append("*")
        shown.append(text)
        following = parameters[index + 1 : index + 2]
        if parameter.kind == parameter.POSITIONAL_ONLY and all(after.kind != after.POSITIONAL_ONLY for after in following):
            shown.append("/")
    returned = "" if given.return_annotation is given.empty else f" -> {annotation(given.return_annotation)}"
    return f"({', '.join(shown)}){returned}"


def member(name: str, value: object) -> str | None:
    """A line for what a class holds under a name; None for what is no part of its surface."""
    if isinstance(value, property):
        returned = inspect.signature(value.fget).return_annotation
        return f"{name}: {annotation(returned)} (property)"
    if isinstance(value, staticmethod):
        return f"{name}{signature(value.__func__)} (static)"
    if isinstance(value, classmethod):
        return f"{name}{signature(value.__func__, bound=True)} (class)"
    if inspect.isfunction(value) and value.__module__.startswith("probgen"):
        return f"{name}{signature(value, bound=True)}"
    if hasattr(value, "func") and hasattr(value, "attrname"):
        return f"{name} (cached)"
    return None


def of_class(path: str, cls: type, public: set[object]) -> Iterator[str]:
    """The lines of a class; what a public base says stands under that base, a field of a dataclass in its construction."""
    yield f"class {path}({', '.join(base.__name__ for base in cls.__bases__ if base is not object)})"
    own = [base for base in cls.__mro__ if base is cls or (base.__module__.startswith("probgen") and base not in public)]
    fields: set[str] = set()
    if dataclasses.is_dataclass(cls) or any("__init__" in vars(base) for base in own):
        yield f"{path}.__init__{signature(cls.__init__, bound=True).removesuffix(' -> None')}"
        fields = {field.name for field in dataclasses.fields(cls) if field.init} if dataclasses.is_dataclass(cls) else set()
    held: dict[str, object] = {}
    hints: dict[str, object] = {}
    for base in reversed(own):
        held |= vars(base)
        hints |= vars(base).get("__annotations__", {})
    for name in sorted(set(held) | set(hints)):
        if name.startswith("_") or name in fields:
            continue
        line = member(f"{path}.{name}", held.get(name))
        if line is None and name in hints:
            line = f"{path}.{name}: {annotation(hints[name])}"
        elif line is None and isinstance(held[name], enum.Enum):
            line = f"{path}.{name}"
        if line is not None:
            yield line


def lines() -> list[str]:
    """The whole surface, sorted."""
    things = exported()
    public = set(filter(inspect.isclass, things.values()))
    found: list[str] = []
    for path, thing in things.items():
        if inspect.isclass(thing):
            found += of_class(path, thing, public)
        elif inspect.isroutine(thing):
            found.append(f"{path}{signature(thing)}")
        else:
            found.append(f"{path} = {constant(thing)}")
    return sorted(found, key=_name)


def _name(line: str) -> str:
    return re.match(r"(?:class )?([\w.]*)", line).group(1)


def difference(frozen: list[str], present: list[str]) -> list[str]:
    """What went (``-``) and what came (``+``); a changed name shows both, one below the other."""
    gone, new = set(frozen) - set(present), set(present) - set(frozen)
    return sorted(
        [f"- {line}" for line in gone] + [f"+ {line}" for line in new], key=lambda line: (_name(line[2:]), line[0] == "+")
    )


def main() -> None:
    """Print the surface, or freeze it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"freeze it in {FROZEN.name}")
    text = "\n".join(lines()) + "\n"
    if parser.parse_args().write:
        FROZEN.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
