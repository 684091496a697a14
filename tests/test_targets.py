"""Code that a configuration may name: marked objects of pdekit, and what a trusted package defines."""

import importlib
import inspect
import json
import pkgutil
from functools import cache

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import pdekit
from pdekit.fields import Grid, Problem
from pdekit.plain import MAX_INTEGER, by_name, check_bounds, from_json, from_plain, mappings_in, to_plain
from pdekit.runs import WEIGHTS, build_model, load
from pdekit.targets import MARK, is_configurable, locate
from tests.test_runs import CONFIG, ks_problem, saved

# parameters of these names would let a configuration choose code or files
FORBIDDEN = {"trust", "path", "paths", "folder", "file", "files", "module", "command", "url"}
# the noise path of a diffusion, one of a few names; the models' own tests show that others are refused
NOT_FILES = {
    "pdekit.models.wdno.WDNO": {"path"},
    "pdekit.models.diffusion_pde.DiffusionPDE": {"path"},
    "pdekit.models.generation.Generation": {"path"},
}


@cache
def everything() -> dict[str, object]:
    """All names that can be imported from pdekit, with what they are."""
    found = {}
    for info in pkgutil.walk_packages(pdekit.__path__, "pdekit."):
        if info.name.startswith("pdekit.cards"):
            continue
        module = importlib.import_module(info.name)
        found |= {f"{info.name}.{name}": value for name, value in vars(module).items()}
    return found


def builds(path: str) -> bool:
    try:
        locate(path)
    except ValueError:
        return False
    return True


def test_only_marked_objects_of_pdekit_can_be_built():
    """Of all names of pdekit, whichever module they are imported into."""
    names = everything()
    assert len(names) > 2000
    allowed = {path for path in names if builds(path)}
    assert allowed and all(is_configurable(names[path]) for path in allowed)
    homes = {f"{names[path].__module__}.{names[path].__qualname__}" for path in allowed}
    layers = {home.split(".")[1] for home in homes}
    assert layers == {
        "boundaries",
        "signals",
        "fields",
        "pdes",
        "solvers",
        "cases",
        "recipes",
        "nets",
        "diffusion",
        "models",
    }


def test_no_marked_object_takes_a_path_or_a_target():
    for path, value in everything().items():
        if is_configurable(value):
            # other modules import it, too; an instance has no name of its own
            home = f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
            taken = set(inspect.signature(value).parameters) & FORBIDDEN - NOT_FILES.get(home, set())
            assert not taken and "kwargs" not in inspect.signature(value).parameters, path


@pytest.mark.parametrize(
    "path",
    [
        "pdekit.runs.build_model",
        "pdekit.runs.load",
        "pdekit.load",
        "pdekit.targets.locate",
        "pdekit.plain.from_plain",
        "pdekit.plain.locate",
        "pdekit.recipes.instance.instance_from",
        "pdekit.recipes.trajectories.recipe_from",
        "pdekit.data.formats.open_source",
        "pdekit.data.module.DataModule",
        "pdekit.train.train",
        "pdekit.evaluate.evaluate",
        "pdekit.provenance.sha256",
        "pdekit.recipes.workers.Task",
        "pdekit.models.base.Surrogate",
        "pdekit.pdes.base.PDE",
    ],
)
def test_a_configuration_cannot_grant_itself_trust(path):
    with pytest.raises(ValueError, match=r"meant for configurations|trust=|to exist"):
        from_plain({"_target_": path, "_partial_": True})


def test_trust_does_not_open_the_functions_of_pdekit():
    with pytest.raises(ValueError, match="meant for configurations"):
        locate("pdekit.runs.load", ("pdekit", "tests"))


def test_a_mark_is_not_inherited():
    class Derived(Grid):
        pass

    assert getattr(Derived, MARK) is True and not is_configurable(Derived)
    assert not is_configurable(Grid((8,), (1.0,)))


def test_what_pdekit_marks_may_be_named():
    assert locate("pdekit.fields.Grid") is Grid


@pytest.mark.parametrize("path", ["os.system", "builtins.eval", "pdekitten.Model", "torch.load", "Grid", ""])
def test_other_code_needs_trust(path):
    with pytest.raises(ValueError, match="if it is yours, add trust="):
        locate(path)


@pytest.mark.parametrize(
    "path", ["pdekit.machine.os", "pdekit.fields.prod", "pdekit.runs.np.load", "pdekit.plain.partial"]
)
def test_what_pdekit_merely_imports_is_not_its_own(path):
    with pytest.raises(ValueError, match=r"defined in pdekit|to exist"):
        locate(path)


@pytest.mark.parametrize("path", ["pdekit.fields.Gird", "pdekit.nowhere.Thing"])
def test_what_does_not_exist_is_named(path):
    with pytest.raises(ValueError, match="to exist, found"):
        locate(path)


@pytest.mark.parametrize("path", [None, 3, ["os.system"], {"_target_": "os.system"}])
def test_a_target_is_a_text(path):
    with pytest.raises(ValueError, match="dotted path"):
        from_plain({"_target_": path})


def test_trust_opens_one_package(tmp_path, monkeypatch):
    """Objects of the user need no mark."""
    (tmp_path / "mine_for_a_test.py").write_text("from pdekit.runs import load\ndef net():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="trust=mine_for_a_test"):
        locate("mine_for_a_test.net")
    assert locate("mine_for_a_test.net", ("mine_for_a_test",))() == 1
    with pytest.raises(ValueError, match="meant for configurations"):
        locate("mine_for_a_test.load", ("mine_for_a_test",))
    with pytest.raises(ValueError, match="trust=os"):
        locate("os.system", ("mine_for_a_test",))


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


def bomb() -> list:
    """Thirty levels of ten references to one list: 10^30 values in a few hundred bytes."""
    value: list = []
    for _ in range(30):
        value = [value] * 10
    return value


@pytest.mark.parametrize("node", [nested(5000), bomb(), {"a": MAX_INTEGER + 1}, [-(10**400)], {1: 2}])
def test_plain_values_are_bounded(node):
    with pytest.raises(ValueError, match="expected"):
        from_plain(node)


def test_stored_json_is_bounded():
    check_bounds(to_plain(ks_problem()))
    for text in ("[" * 100_000, "[" * 100 + "]" * 100, "9" * 5000, "1" + "0" * 40, "{", ""):
        with pytest.raises(ValueError, match="expected"):
            from_json(text)


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "pdekit.fields.Grid", "shape": 8, "extent": 1.0},
        {"_target_": "pdekit.fields.Grid", "shape": ["a"], "extent": [None]},
        {"_target_": "pdekit.fields.Grid", "shape": {}, "extent": []},
        {"_target_": "pdekit.recipes.trajectories.Uniform", "low": "a", "high": 1},
        {"_target_": "pdekit.recipes.trajectories.Recipe", "name": "a"},
    ],
)
def test_values_of_a_wrong_kind_are_refused_in_a_sentence(node):
    with pytest.raises(ValueError, match="expected"):
        from_plain(node)


@pytest.mark.parametrize("config", [{}, {"_target_": "pdekit.fields.Grid", "shape": [8]}, {"a": 1}])
def test_a_model_that_is_no_model_is_refused(config):
    with pytest.raises(ValueError, match="expected a model"):
        build_model(config, ks_problem())


@pytest.mark.parametrize("part", ["config", "problem"])
def test_the_header_of_weights_executes_nothing(tmp_path, monkeypatch, part):
    """A header that names functions of pdekit which would grant trust, and a module that writes a file."""
    run = tmp_path / "run"
    run.mkdir()
    saved(run, ks_problem())
    (tmp_path / "stranger_for_a_test.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with safe_open(run / WEIGHTS, "pt") as stored:
        header = stored.metadata()
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    own = {"trust": ["stranger_for_a_test"]}
    hostile = [
        {"_target_": "pdekit.targets.locate", "path": "stranger_for_a_test.x", **own},
        {"_target_": "pdekit.runs.load", "path": str(run), **own},
        {"_target_": "pdekit.plain.from_plain", "node": {"_target_": "stranger_for_a_test.x"}, **own},
        {"_target_": "pdekit.runs.build_model", "config": {"_target_": "stranger_for_a_test.x"}, **own},
    ]
    for target in hostile:
        changed = {"model": target} if part == "config" else target
        save_file(tensors, run / WEIGHTS, metadata=header | {part: json.dumps(changed)})
        with pytest.raises(ValueError, match="meant for configurations"):
            load(run)
    assert not (tmp_path / "executed").exists()
    assert isinstance(from_plain(to_plain(ks_problem())), Problem)
    assert isinstance(build_model(CONFIG["model"], ks_problem()), torch.nn.Module)


@pytest.mark.parametrize("given", ["viscosity=2", 1.0, [0.1], Grid])
def test_values_are_given_by_name(given):
    """What `pdekit.solve`, `Run.forecast`, `Prompt` and `from_arrays` say of params= (the type checker of the tests is
    stricter than their users)."""
    with pytest.raises(ValueError, match=r"expected params by name, got .*; give params=\{NAME: VALUE\}"):
        by_name(given, "params")


def test_mappings_are_found_in_their_order_at_any_depth():
    deep = {"first": 0}
    for _ in range(5000):
        deep = [deep]
    assert list(mappings_in({"a": {"b": 1}, "c": [deep, {"d": 2}]}))[1:] == [{"b": 1}, {"first": 0}, {"d": 2}]
