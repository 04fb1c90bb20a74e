"""Rules about the sources themselves. The floors of the house are in pyproject.toml (import-linter)."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest

import pets

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "pets").rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

BANNED_MODULES = {"random", "numpy.random", "pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
HEAVY_MODULES = {
    "dask",
    "duckdb",
    "highspy",
    "jinja2",
    "matplotlib",
    "opendp",
    "pandas",
    "polars",
    "pyarrow",
    "scipy.stats",
    "sdv",
    "tenseal",
    "torch",
    "typer",
}
MAX_LINES = 450
# Words that promise more than any technique here can keep.
PROMISES = re.compile(r"\banonymi[sz]|\bunhackable|\b100\s?% (secure|private)|\bfully (secure|private)", re.IGNORECASE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Yield each dotted name that is imported, and each `numpy.random`-like attribute that is used."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"np", "numpy"}:
            yield f"numpy.{node.attr}"


def banned_imports(source: str) -> list[str]:
    return [
        name
        for name in imported_modules(ast.parse(source))
        if any(name == banned or name.startswith(banned + ".") for banned in BANNED_MODULES)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_draws_no_foreign_randomness_and_never_unpickles(path: Path) -> None:
    assert banned_imports(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import random",
        "import numpy.random as r",
        "from numpy import random",
        "from numpy.random import default_rng",
        "import numpy as np\nx = np.random.laplace()",
        "def f():\n    import pickle",
        "from pickle import loads",
    ],
)
def test_the_search_for_banned_imports_finds_them(planted: str) -> None:
    assert banned_imports(planted)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_holds_one_concept(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split it by concept"


@pytest.mark.parametrize("name", sorted(pets.__all__))
def test_public_name_is_documented(name: str) -> None:
    documented = getattr(pets, name).__doc__
    assert documented
    assert documented.strip()


def public_modules() -> Iterator[str]:
    """Yield every importable module without a leading underscore, as the reader of the reference sees them."""
    for path in SOURCES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not any(part.startswith("_") and part != "__init__" for part in parts):
            yield ".".join(part for part in parts if part != "__init__")


PACKAGES = sorted(".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES if path.name == "__init__.py")


@pytest.mark.parametrize("module", sorted(public_modules()))
def test_module_says_what_it_is_for(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_package_lists_what_it_offers(package: str) -> None:
    """Editors, ``import *`` and the reference all go by ``__all__``."""
    loaded = importlib.import_module(package)
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []
    assert len(set(loaded.__all__)) == len(loaded.__all__)


def documented_parameters(text: str) -> list[str]:
    """Return the names in the section Parameters of a numpydoc docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = section[1].splitlines() if section else []
    names = [line.split(":")[0] for line in lines if line and not line[0].isspace()]
    return [name.strip().lstrip("*") for line in names for name in line.split(",")]


def public_functions(package: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield each exported class and function of a package, and the public methods of the classes."""
    loaded = importlib.import_module(package)
    for name in loaded.__all__:
        target = getattr(loaded, name)
        if inspect.isclass(target) or inspect.isfunction(target):
            yield f"{package}.{name}", target
        if inspect.isclass(target):
            for method, function in vars(target).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{package}.{name}.{method}", function


@pytest.mark.parametrize("package", PACKAGES)
def test_documented_parameters_are_the_real_ones(package: str) -> None:
    wrong = []
    for name, target in public_functions(package):
        documented = set(documented_parameters(inspect.getdoc(target) or ""))
        parameters = {n: p for n, p in inspect.signature(target).parameters.items() if n != "self"}
        named = {n for n, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        if documented and not named <= documented <= set(parameters):
            wrong.append((name, sorted(documented ^ named)))
    assert wrong == []


def test_the_look_at_parameters_reads_sections() -> None:
    text = "Do.\n\nParameters\n----------\na, b\n    Two.\n*rest : int\n    More.\n\nReturns\n-------\nint\n"
    assert documented_parameters(text) == ["a", "b", "rest"]


def modules_loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_pets_is_light() -> None:
    loaded = modules_loaded_by("import pets")
    assert "pets" in loaded
    assert loaded & HEAVY_MODULES == set()


def test_the_look_at_loaded_modules_sees_heavy_ones() -> None:
    assert "pandas" in modules_loaded_by("import pandas")


def test_types_are_shipped() -> None:
    assert resources.files("pets").joinpath("py.typed").is_file()


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_page_promises_nothing_that_cannot_be_kept(path: Path) -> None:
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PROMISES.search(line)
    ]
    assert found == []


def test_reference_covers_every_public_name() -> None:
    """Each object in ``pets.__all__`` is rendered by exactly one page of the API reference."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    rendered = re.findall(r"^::: (pets[\w.]*)", text, re.MULTILINE)
    assert len(rendered) == len(set(rendered)), "a page renders a module twice"
    for name in pets.__all__:
        target = getattr(pets, name)
        module = getattr(target, "__module__", None) or target.__name__
        assert any(module == shown or module.startswith(shown + ".") for shown in rendered), f"{name} ({module})"
