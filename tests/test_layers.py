"""The shape of the source tree: import order, light entry points, short files and functions, one name for one thing."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

from tests.source_tree import (
    PACKAGE,
    ROOT,
    dotted,
    edges,
    functions,
    imported,
    layer,
    modules,
    name,
    parse,
    public_definitions,
    run_at_import,
    top_names,
)

ENTRY_POINTS = {"train", "generate", "evaluate", "compare", "inspect", "convert", "sample", "studio", "infer", "check"}
ENTRY_POINTS |= {"benchmark"}
COMMAND_LINE = ENTRY_POINTS | {"cli", "__main__"}  # what the entry points share

# what the files of each layer may import of pdekit, next to their own layer
EQUATIONS = {"boundaries", "fields", "calculus", "pdes", "rollout", "solvers", "simulators"}
LAYERS = {
    "machine": set(),
    "typed_values": set(),
    "settings": {"typed_values"},
    "targets": set(),
    "energy": set(),
    "provenance": {"machine", "plain"},
    "options": {"typed_values"},
    "plain": {"options", "targets"},
    "plain_yaml": set(),
    "command_words": set(),
    "signals": set(),
    "boundaries": {"signals"},
    "round_ends": set(),
    "fields": {"boundaries", "round_ends"},
    "mesh_order": set(),
    "conventions": set(),
    "same_box": {"fields"},
    "labelled": {"fields"},
    "measurements": {"fields"},
    "calculus": {"fields"},
    "pdes": {"fields", "calculus"},
    "captions": {"boundaries", "fields", "pdes"},
    "rollout": {"fields"},
    "solvers": {"boundaries", "fields", "calculus", "pdes", "rollout"},
    "simulators": {"boundaries", "fields", "calculus", "pdes", "solvers"},
    "cases": {"fields", "calculus", "mesh_order", "pdes", "solvers", "simulators"},
    "data": {"boundaries", "command_words", "fields", "labelled", "plain", "plain_yaml", "provenance", "targets"}
    | {"conventions", "mesh_order", "round_ends", "same_box", "typed_values"},
    "recipes": {"typed_values", "captions", "data", "cases", "plain", "provenance"} | EQUATIONS,
    "nets": set(),
    "diffusion": set(),
    "optimisers": set(),
    "models": {"typed_values", "measurements", "settings", "nets", "diffusion", "optimisers", "cases", "plain"}
    | {"same_box"}
    | EQUATIONS,
    "metrics": {"boundaries", "fields", "calculus"},
    "report": {"command_words", "fields", "metrics", "plain", "provenance"},
    "evaluation": {"machine", "data", "recipes", "cases", "models", "metrics", "report", "labelled", "plain"}
    | {"command_words", "provenance", "same_box", "settings", "targets", "typed_values"}
    | EQUATIONS,
    "checks": {"calculus", "evaluation", "fields", "metrics", "models", "pdes", "plain", "provenance"},
    "training": {"provenance", "runs", "settings", "fields", "data", "models", "metrics", "optimisers"},
    "given": {"conventions", "fields", "plain"},
    "runs": {"typed_values", "targets", "fields", "labelled", "given", "data", "models", "plain", "pdes", "provenance"},
    "inference": {"typed_values", "fields", "metrics", "models", "diffusion"},
    "serving": {"typed_values", "captions", "data", "fields", "metrics", "models", "pdes", "plain", "report", "runs"},
    "workflows": {
        "command_words",
        "typed_values",
        "fields",
        "measurements",
        "provenance",
        "energy",
        "settings",
        "data",
        "recipes",
        "models",
        "evaluation",
        "training",
        "runs",
        "report",
        "inference",
        "checks",
        "given",
        "serving",
    }
    | {"plain"},
    "simulate": {"typed_values", "given", "data", "recipes", "cases", "labelled", "plain"} | EQUATIONS,
    "scoring": {"data", "evaluation", "fields", "plain", "report", "simulate"},
}

# modules that import nothing but the standard library
STANDARD_LIBRARY_ONLY = {"machine", "options", "plain", "settings", "targets", "typed_values", "energy"}

# all that may be imported before `main` runs: `--help` answers at once, and `import pdekit` costs nothing
LIGHT = {"hydra", "omegaconf", "rich"}

# a name that several files define on purpose, because each fulfils the same contract
CONTRACTS = {"main"}


def test_every_module_has_its_place():
    unknown = {layer(path) for path in modules()} - set(LAYERS) - COMMAND_LINE - {"__init__"}
    assert not unknown, "say in LAYERS what they may import"


def test_imports_go_downwards():
    wrong = []
    for path in modules():
        if layer(path) in LAYERS:
            allowed = {f"pdekit.{target}" for target in LAYERS[layer(path)] | {layer(path)}}
            inside = [module for module in imported(ast.walk(parse(path)), path) if module.split(".")[0] == "pdekit"]
            wrong += [(name(path), module) for module in inside if ".".join(module.split(".")[:2]) not in allowed]
    assert not wrong, "these imports go upwards or sideways"


def test_layers_form_no_cycle():
    order = list(TopologicalSorter(LAYERS).static_order())  # raises CycleError
    assert set(order) >= set(LAYERS) and order.index("fields") < order.index("evaluation")


def test_modules_form_no_cycle():
    """Imports inside functions count: they may delay a heavy library, not hide a cycle."""
    graph = {dotted(path): edges(path) for path in modules()}
    cycle = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1]
    assert cycle == [], "cut this cycle of imports"


def test_only_entry_points_know_hydra():
    roots = {
        name(path): {module.split(".")[0] for module in imported(ast.walk(parse(path)), path)} for path in modules()
    }
    allowed = {name(path) for path in modules() if layer(path) in COMMAND_LINE}
    assert {path for path, found in roots.items() if "hydra" in found} <= allowed
    # pdekit.solve reads a recipe by its name
    assert {path for path, found in roots.items() if "omegaconf" in found} <= allowed | {"pdekit/simulate.py"}


def test_only_entry_points_import_entry_points():
    targets = {f"pdekit.{module}" for module in COMMAND_LINE}
    users = {layer(path) for path in modules() if targets & set(imported(ast.walk(parse(path)), path))}
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
    paths = [path for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks") for path in modules(folder)]
    lengths = {name(path): len(path.read_text().splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_the_median_file_is_short():
    lengths = sorted(len(path.read_text().splitlines()) for path in modules() if path.name != "__init__.py")
    assert lengths[len(lengths) // 2] <= 150


def test_no_function_is_over_60_lines():
    """From the first line of the signature to the last of the body, docstring included."""
    found = {place: node.end_lineno - node.lineno + 1 for place, node in functions()}
    assert {place: lines for place, lines in found.items() if lines > 60} == {}, "cut to 60 lines"


def test_no_function_has_over_8_arguments():
    found = {}
    for place, node in functions():
        given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        found[place] = len([argument for argument in given if argument.arg not in ("self", "cls")])
    assert {place: count for place, count in found.items() if count > 8} == {}, "group the arguments"


def test_no_public_name_has_two_meanings():
    """Functions and classes at the top of modules; a contract that several files fulfil is one meaning."""
    places = defaultdict(list)
    for path in modules():
        for thing in public_definitions(parse(path)):
            places[thing].append(name(path))
    shared = {thing: paths for thing, paths in places.items() if len(paths) > 1 and thing not in CONTRACTS}
    assert shared == {}, "rename one of these"


def test_every_test_asserts():
    """In its own body, so that a reader sees what it shows; a body ends where the next line begins at the margin."""
    header, end = re.compile(r"^def (test_\w+)\(", re.MULTILINE), re.compile(r"^[^\s)#]", re.MULTILINE)
    claim = re.compile(r"\bassert\b|\b(?:raises|warns|fail|assert_\w+)\(")
    silent = []
    for path in modules(ROOT / "tests"):
        text = path.read_text()
        for found in header.finditer(text):
            following = end.search(text, found.end())
            if not claim.search(text, found.end(), following.start() if following else len(text)):
                silent.append(f"{name(path)}: {found[1]}")
    assert not silent


def test_benchmarks_import_what_exists():
    missing = []
    for path in modules(ROOT / "benchmarks"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pdekit":
                missing += [(name(path), node.module, a.name) for a in node.names if not exists(node.module, a.name)]
    assert not missing, "benchmarks must follow the package"


def exists(module: str, wanted: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    if path.is_dir() and any((path / file).exists() for file in (f"{wanted}.py", f"{wanted}/__init__.py")):
        return True
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.exists() and wanted in top_names(parse(path))


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
    assert imported(ast.walk(tree), path) == ["torch.nn", "pdekit.rollout", "pdekit.pdes.base", "pdekit.fields"]
    late = ast.parse(
        "import os\ndef f():\n    import torch\nif TYPE_CHECKING:\n    import numpy\nclass A:\n    import rich"
    )
    assert imported(run_at_import(late), path) == ["os", "rich"]


def test_the_readers_of_functions_and_names_are_right():
    tree = ast.parse(
        "X: int = 1\nif X:\n    import a.b as c\nclass A:\n    def f(self):\n        def g(): ...\ndef _h(): ..."
    )
    assert [place for place, _ in functions([(tree, "m.py:")])] == ["m.py:A.f", "m.py:A.f.g", "m.py:_h"]
    assert top_names(tree) == {"X", "c", "A", "_h"} and list(public_definitions(tree)) == ["A"]
    late = edges(PACKAGE / "train.py")
    assert "pdekit.workflows.training_run" in late and "pdekit.machine" in late, "imports inside functions count"
