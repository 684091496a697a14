"""The shape of the source tree: import order, light entry points, short files, a test beside each module."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pdekit"
ENTRY_POINTS = {"train", "generate", "evaluate", "compare"}
COMMAND_LINE = ENTRY_POINTS | {"cli"}  # what the entry points share

# what the files of each layer may import of pdekit, beside their own layer
EQUATIONS = {"boundaries", "fields", "calculus", "pdes", "rollout", "solvers"}
LAYERS = {
    "machine": set(),
    "settings": set(),
    "targets": set(),
    "energy": set(),
    "provenance": {"machine", "plain"},
    "plain": {"targets"},
    "signals": set(),
    "boundaries": {"signals"},
    "fields": {"boundaries"},
    "labelled": {"fields"},
    "calculus": {"fields"},
    "pdes": {"fields", "calculus"},
    "rollout": {"fields"},
    "solvers": {"boundaries", "fields", "calculus", "pdes", "rollout"},
    "cases": {"fields", "calculus", "pdes", "solvers"},
    "data": {"boundaries", "fields", "calculus", "pdes", "plain", "provenance", "targets"},
    "recipes": {"data", "cases", "plain", "provenance"} | EQUATIONS,
    "nets": set(),
    "diffusion": set(),
    "optimisers": set(),
    "models": {"settings", "nets", "diffusion", "optimisers", "cases", "plain"} | EQUATIONS,
    "metrics": {"boundaries", "fields", "calculus"},
    "report": {"fields", "metrics"},
    "evaluation": {"machine", "data", "recipes", "cases", "models", "metrics", "report", "labelled", "plain"}
    | {"provenance"}
    | EQUATIONS,
    "training": {"runs", "settings", "fields", "data", "models", "metrics", "optimisers"},
    "given": {"fields"},
    "runs": {"targets", "fields", "labelled", "given", "data", "models", "plain", "pdes", "provenance"},
    "workflows": {"provenance", "energy", "settings", "data", "recipes", "models", "evaluation", "training", "runs"}
    | {"plain"},
    "simulate": {"given", "data", "recipes", "cases", "labelled", "plain"} | EQUATIONS,
}

# modules that import nothing but the standard library
STANDARD_LIBRARY_ONLY = {"machine", "settings", "targets", "energy"}

# all that may be imported before `main` runs: `--help` answers at once, and `import pdekit` costs nothing
LIGHT = {"hydra", "omegaconf", "rich"}


def modules(folder: Path = PACKAGE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "cards" not in path.relative_to(folder).parts)


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(tree: ast.AST, path: Path) -> list[str]:
    """Full names of all modules that a syntax tree imports, relative imports resolved."""
    package = ("pdekit", *path.relative_to(PACKAGE).parent.parts)
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            names += [f"{source}.{alias.name}" for alias in node.names] if source == "pdekit" else [source]
    return names


def run_at_import(tree: ast.Module) -> ast.Module:
    """The tree without the bodies of functions and of `if TYPE_CHECKING`."""

    class Cut(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        def visit_If(self, node):
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

        visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    return Cut().visit(tree)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_has_its_place():
    unknown = {layer(path) for path in modules()} - set(LAYERS) - COMMAND_LINE - {"__init__"}
    assert not unknown, "say in LAYERS what they may import"


def test_imports_go_downwards():
    wrong = []
    for path in modules():
        if layer(path) in LAYERS:
            allowed = {f"pdekit.{target}" for target in LAYERS[layer(path)] | {layer(path)}}
            inside = [module for module in imported(parse(path), path) if module.split(".")[0] == "pdekit"]
            wrong += [(name(path), module) for module in inside if ".".join(module.split(".")[:2]) not in allowed]
    assert not wrong, "these imports go upwards or sideways"


def test_only_entry_points_know_hydra():
    roots = {name(path): {module.split(".")[0] for module in imported(parse(path), path)} for path in modules()}
    allowed = {name(path) for path in modules() if layer(path) in COMMAND_LINE}
    assert {path for path, found in roots.items() if "hydra" in found} <= allowed
    # pdekit.solve reads a recipe by its name
    assert {path for path, found in roots.items() if "omegaconf" in found} <= allowed | {"pdekit/simulate.py"}


def test_only_entry_points_import_entry_points():
    targets = {f"pdekit.{module}" for module in COMMAND_LINE}
    users = {layer(path) for path in modules() if targets & set(imported(parse(path), path))}
    assert users <= COMMAND_LINE


def test_entry_points_import_nothing_heavy_before_they_run():
    light = sys.stdlib_module_names | LIGHT
    local = {f"pdekit.{module}" for module in COMMAND_LINE | STANDARD_LIBRARY_ONLY}
    wrong = []
    for path in modules():
        if layer(path) in COMMAND_LINE | STANDARD_LIBRARY_ONLY | {"__init__"}:
            names = imported(run_at_import(parse(path)), path)
            wrong += [(name(path), module) for module in names if module.split(".")[0] not in light | {"pdekit"}]
            wrong += [
                (name(path), module)
                for module in names
                if module.startswith("pdekit") and ".".join(module.split(".")[:2]) not in local
            ]
    assert not wrong, "import these inside the function that needs them"


def test_importing_pdekit_imports_no_torch():
    code = "import sys, pdekit; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_no_file_is_over_400_lines():
    lengths = {name(path): len(path.read_text().splitlines()) for path in modules() + modules(ROOT / "tests")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_the_median_file_is_short():
    lengths = sorted(len(path.read_text().splitlines()) for path in modules() if path.name != "__init__.py")
    assert lengths[len(lengths) // 2] <= 150


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in modules()}
    assert [name(f) for f in folders if not (f / "__init__.py").exists()] == [], "the wheel would lack these"


def test_mirrored_tests_have_their_module():
    """A test in a sub-folder of tests/ named like a package is about something that exists there."""
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("test_*.py"))}
    assert folders <= packages | {"oracles"}, "a folder of tests without its package"


def test_every_package_has_tests():
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    tested |= {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert packages <= tested


def test_tests_are_at_least_half_of_the_code():
    code, tests = (sum(len(p.read_text().splitlines()) for p in modules(f)) for f in (PACKAGE, ROOT / "tests"))
    assert tests >= 0.5 * code, f"{tests} lines of tests for {code} lines of code"


def test_the_reader_of_imports_is_right():
    tree = ast.parse(
        "import torch.nn as nn\nfrom pdekit import rollout\nfrom .base import PDE\nfrom ..fields import Grid"
    )
    path = PACKAGE / "pdes" / "burgers.py"
    assert imported(tree, path) == ["torch.nn", "pdekit.rollout", "pdekit.pdes.base", "pdekit.fields"]
    late = ast.parse(
        "import os\ndef f():\n    import torch\nif TYPE_CHECKING:\n    import numpy\nclass A:\n    import rich"
    )
    assert imported(run_at_import(late), path) == ["os", "rich"]
