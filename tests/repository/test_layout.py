"""Budgets and layout: every file can be read in one sitting, has its test beside it, and hides nothing."""

import ast
import configparser
import importlib
import re
import subprocess
import sys

from tests.repository.tree import ROOT, code_lines, files_of_tests, functions, modules, parse, relative, source_files

FILE_LINES = 400
FUNCTION_LINES = 40
KERNEL_LINES = 60

# Documented numeric kernels that may take KERNEL_LINES lines of code: "file::function" -> why it is one piece.
KERNELS: dict[str, str] = {}

# Source files without a test file of their own -> where they are tested.
TESTED_ELSEWHERE: dict[str, str] = {
    "distributions/bijectors/axes/_conditioner.py": "tests/distributions/bijectors/axes/test_split_coupling.py",
    "distributions/bijectors/combined.py": "tests/distributions/bijectors/test_compose.py",
    "distributions/bijectors/wrapper.py": "tests/distributions/bijectors/test_conditioned.py",
    "distributions/conditional.py": "tests/distributions/test_transformed_law.py",
    "probgen/__init__.py": "tests/repository/test_public_api.py",
}

ALL_FILES = source_files() + files_of_tests()


def test_files_are_readable_in_one_sitting():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL_FILES}
    long = {name: length for name, length in lengths.items() if length > FILE_LINES}
    assert not long, f"lines, {FILE_LINES} at most; split them by idea: {long}"


def test_functions_are_short():
    long = {}
    for path in ALL_FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for name, node in functions(parse(path)):
            key = f"{relative(path)}::{name}"
            count = code_lines(node, lines)
            if count > (KERNEL_LINES if key in KERNELS else FUNCTION_LINES):
                long[key] = count
    assert not long, f"lines of code per function, {FUNCTION_LINES} at most: {long}"


def test_registered_kernels_exist_and_need_it():
    for key, reason in KERNELS.items():
        file, name = key.split("::")
        nodes = dict(functions(parse(ROOT / file)))
        assert name in nodes, f"{key} is registered but does not exist"
        assert code_lines(nodes[name], (ROOT / file).read_text().splitlines()) > FUNCTION_LINES, f"{key} needs no registration"
        assert reason


def test_code_lines_counts_code_only():
    text = 'def f(a):\n    """Doc.\n\n    More.\n    """\n    # why\n\n    return a\n'
    assert code_lines(ast.parse(text).body[0], text.splitlines()) == 2


def mirrored(path):
    """The test file that belongs to a source file."""
    parts = path.relative_to(ROOT).parts
    return ROOT.joinpath("tests", *parts[:-1], f"test_{path.stem.lstrip('_')}.py")


def listed(path):
    """The names in a file's ``__all__``."""
    for node in parse(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets):
            return ast.literal_eval(node.value)
    return []


def named_beside(path):
    """Whether the tests of the same folder name everything that the file makes public."""
    folder = mirrored(path).parent
    text = "".join(test.read_text(encoding="utf-8") for test in folder.glob("test_*.py"))
    names = listed(path)
    return bool(names) and all(re.search(rf"\b{name}\b", text) for name in names)


SINGLE = [path for path in source_files() if path.stem not in ("__init__", "__main__")]


def test_every_file_is_tested_where_one_looks_for_it():
    missing = [
        f"{relative(path)} wants {relative(mirrored(path))}"
        for path in SINGLE
        if relative(path) not in TESTED_ELSEWHERE and not mirrored(path).exists() and not named_beside(path)
    ]
    missing += [f"{file} wants {test}" for file, test in TESTED_ELSEWHERE.items() if not (ROOT / test).exists()]
    assert not missing, f"or their public names in the other tests of the same folder: {missing}"


def test_every_test_file_belongs_to_a_package():
    packages = {relative(path.parent) for path in source_files()}
    for path in files_of_tests():
        folder = relative(path.parent).removeprefix("tests/")
        if path.name.startswith("test_") and folder.split("/")[0] in ("distributions", "probgen"):
            assert folder in packages, f"{relative(path)} mirrors no package"


def test_test_folders_are_packages():
    for folder in {path.parent for path in files_of_tests()}:
        assert (folder / "__init__.py").exists(), f"{relative(folder)} needs an __init__.py"


def test_reasons_for_missing_tests_are_still_needed():
    for file in TESTED_ELSEWHERE:
        assert (ROOT / file).exists(), f"{file} is listed but does not exist"
        assert not mirrored(ROOT / file).exists(), f"{file} has a test file of its own: take it off the list"


def test_pyproject_has_no_tool_table():
    text = (ROOT / "pyproject.toml").read_text()
    assert "[tool" not in text, "a [tool.*] table here makes pytest and mypy ignore setup.cfg without a word"
    assert len(text.splitlines()) == 3


def test_setup_cfg_names_the_link():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options.packages.find"]["include"] == "probgen*"
    assert config["coverage:run"]["source"].split() == ["probgen", "distributions"]
    assert (ROOT / "probgen/distributions").is_symlink()
    assert (ROOT / "probgen/distributions").resolve() == ROOT / "distributions"


def test_imports_are_explicit():
    wrong = []
    for path in ALL_FILES:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom):
                star = any(alias.name == "*" for alias in node.names)
                if star or node.level or (node.module or "").split(".")[0] == "distributions":
                    wrong.append(f"{relative(path)}:{node.lineno}")
    assert not wrong, f"star imports, relative imports, or `distributions` without `probgen.`: {wrong}"


def test_users_mistakes_are_not_asserted():
    found = [
        f"{relative(path)}:{node.lineno}"
        for path in source_files()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Assert)
    ]
    assert not found, f"assert vanishes under -O; raise an error that names the argument: {found}"


def is_abstract(cls):
    """A class that may be subclassed says so in the first paragraph of its docstring."""
    return "(abstract)" in (cls.__doc__ or "").split("\n\n")[0] or issubclass(cls, BaseException)


def test_concrete_classes_are_final():
    classes = {
        thing
        for module in modules()
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__.startswith("probgen")
    }
    for cls in classes:
        for base in cls.__bases__:
            ours = base.__module__.startswith("probgen")
            assert not ours or is_abstract(base), f"{cls.__qualname__} subclasses {base.__qualname__}, which is not abstract"


def test_the_folder_refuses_its_own_name():
    run = subprocess.run([sys.executable, "-c", "import distributions"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "probgen.distributions" in run.stderr


def test_the_link_and_the_folder_are_one_package():
    package = importlib.import_module("probgen.distributions")
    assert (ROOT / "distributions").samefile(package.__path__[0])
