"""One contract: every method on a small stand-in of every kind of problem, by one script, or a sentence why not."""

import itertools
import re
from functools import cache
from pathlib import Path

import pytest
import torch
import xarray as xr

import pdekit
from pdekit.data.module import DataModule
from pdekit.evaluation.run import Origin, evaluate_models
from pdekit.evaluation.settings import evaluation_from
from pdekit.fields import Problem, Trajectory
from pdekit.plain import from_plain, to_plain
from pdekit.recipes.generation import generate
from pdekit.recipes.instance import instance_from
from pdekit.runs import build_model
from pdekit.settings import Training
from pdekit.workflows.training_run import carry_out, plan_run
from tests.recipes.slab import Slab, slab
from tests.test_configs import MODELS, composed

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
TRUST = ("tests",)
COUNTS = {"train": 4, "valid": 2, "test": 2}
SPACE = {"line": (32,), "plane": (16, 16), "law": (16, 16), "volume": (8, 8, 8)}
MARCHED = {"line": "burgers", "plane": "decaying_turbulence", "law": "shallow_water", "volume": "navier_stokes_3d"}
# small in every respect; what is not named here is as configured
SMALL = {
    "adversarial_autoencoder": ["model.net.widths=[4,4]", "model.net.latent_channels=2"],
    "anchored_step": ["model.net.width=4", "model.net.multipliers=[1,2]", "model.unroll=2"],
    "autoencoder": ["model.net.widths=[4,4]", "model.net.latent_channels=2"],
    "bridge": ["model.net.width=4", "model.net.multipliers=[1,2]", "model.n_calls=2"],
    "crps_ensemble": ["model.net.width=4", "model.net.multipliers=[1,2]", "model.n_noise=2"],
    "deeponet": ["model.net.branch.width=4", "model.net.trunk={n_products: 6, width: 8, depth: 2}"],
    "distilled": ["model.teacher.net.width=4", "model.teacher.net.multipliers=[1,2]", "model.teacher.levels.n=3"],
    "dilated_resnet": ["model.net.width=4", "model.net.blocks=1"],
    "diffusion_pde": ["model.net.width=4", "model.net.multipliers=[1,2]", "model.levels.n=3"],
    "fno": ["model.net.width=4", "model.net.modes=3", "model.net.n_layers=1"],
    "fno_heads": ["model.net.net.width=4", "model.net.net.modes=3", "model.net.features=4", "model.net.hidden=4"],
    "pde_refiner": ["model.net.width=4", "model.net.multipliers=[1,2]", "model.n_refinements=1"],
    "pod_deeponet": ["model.net.branch.width=4", "model.net.n_modes=3"],
    "residual_diffusion": [
        "model.base.net.width=4",
        "model.base.net.multipliers=[1,2]",
        "model.net.width=4",
        "model.net.multipliers=[1,2]",
        "model.levels.n=2",
    ],
    "tfno": ["model.net.width=8", "model.net.modes=3", "model.net.n_layers=1"],
    "text2pde": [
        "model.autoencoder.net.widths=[4,4]",
        "model.autoencoder.net.latent_channels=2",
        "model.encoder.width=8",
        "model.encoder.depth=1",
        "model.net.size.width=8",
        "model.net.size.depth=1",
        "model.generation.levels.n=3",
    ],
    "text2pde_continued": [
        "model.autoencoder.net.widths=[4,4]",
        "model.autoencoder.net.latent_channels=2",
        "model.continuation.net.width=4",
        "model.continuation.net.multipliers=[1,2]",
        "model.continuation.unroll=2",
        "model.encoder.width=8",
        "model.encoder.depth=1",
        "model.net.size.width=8",
        "model.net.size.depth=1",
        "model.generation.levels.n=3",
    ],
    "unet": ["model.net.width=4", "model.net.multipliers=[1,2]"],
    "wdno": ["model.net.width=4", "model.net.multipliers=[1,2]", "model.levels.n=3"],
    "uno": ["model.net.width=8", "model.net.modes=3"],
}
LITTLE = [
    "loading.batch_size=2",
    "training.steps=2",
    "training.validate_every=2",
    "training.checkpoint_every=2",
    "evaluation.sweep.sizes=[1.0]",
    "evaluation.sweep.steps=[1]",
    "evaluation.sweep.precisions=[float64]",
    "evaluation.sweep.refinements=[0.5]",
    "evaluation.sweep.orders=[]",
    "evaluation.timing_batches=[1]",
    "evaluation.keep.n_samples=1",
    "evaluation.measures=[vrmse]",
    "evaluation.progress=false",
]


def marched(name: str, data: str) -> dict:
    node = composed("model=mean", f"data={data}")["data"]
    node.pop("instances", None)
    node["grid"]["shape"] = list(SPACE[name])
    if "max_mode" in node["initial"]:
        node["initial"]["max_mode"] = 3
    return node | {
        "name": name,
        "solver_shape": None,
        "warmup": 0.0,
        "substeps": 2,
        "n_frames": dict.fromkeys(COUNTS, 5),
    }


@cache
def data_of(kind: str) -> dict:
    """The recipe of a stand-in, as plain values."""
    if kind in MARCHED:
        node = marched(kind, MARCHED[kind])
    elif kind == "without space":
        node = composed("model=mean", "data=lorenz_96")["data"] | {"n_frames": dict.fromkeys(COUNTS, 5), "warmup": 0.0}
    elif kind == "steady":
        node = composed("model=mean", "data=darcy", "data.grid.shape=[13,13]", "data.case.intervals=12")["data"]
    elif kind == "masked":
        node = to_plain(slab(Slab(masked=True)))
    else:
        node = to_plain(slab(Slab(dt=0.5, n_frames=5)))
    return node | {"n_trajectories": COUNTS, "chunk": 2}


KINDS = (*MARCHED, "without space", "steady", "masked", "bounded")
IN_SPACE = set(KINDS) - {"without space"}
STEADY = {"steady", "masked"}
NO_FORECAST = {"autoencoder", "adversarial_autoencoder"}
PERIODIC = {*MARCHED, "without space"}
ACCEPTED = {
    **dict.fromkeys(
        ("deeponet", "pod_deeponet", "fno", "fno_heads", "unet", "dilated_resnet", "tfno", "uno", "pde_refiner"),
        IN_SPACE,
    ),
    **dict.fromkeys(("diffusion_pde", "crps_ensemble", "residual_diffusion"), IN_SPACE),
    **dict.fromkeys(("wdno", "distilled"), IN_SPACE - {"volume"}),  # time is an axis of their nets
    **dict.fromkeys(("text2pde", "text2pde_continued", "bridge", "anchored_step"), IN_SPACE - STEADY),
    **dict.fromkeys(NO_FORECAST, IN_SPACE - STEADY),
    "mean": set(KINDS),
    **dict.fromkeys(("persistence", "dmd", "reservoir"), set(KINDS) - STEADY),
    "solver": PERIODIC,
    "nearest": STEADY,
    "pod": STEADY,
    "latent_grid": set(),  # points, see tests/models/test_point_step.py
    "point_deeponet": set(),
    "pinn": set(),  # one instance of a problem, and no dataset
    "pinn_inverse": set(),
}
PAIRS = list(itertools.product(MODELS, KINDS))
TAKEN = [pair for pair in PAIRS if pair[1] in ACCEPTED[pair[0]]]
REFUSED = [pair for pair in PAIRS if pair[1] not in ACCEPTED[pair[0]]]
TRAINED = [pair for pair in TAKEN if pair[0] in SMALL]
FAST = {("fno", "steady")}  # trained and evaluated by the script, in the fast tests
# further ones that it evaluates; it trains all others, and those of a kind are evaluated together
WHOLE = FAST | {("pde_refiner", "line"), ("nearest", "steady"), ("pod", "masked"), ("fno", "volume")}
WHOLE |= {(model, kind) for model in NO_FORECAST for kind in ACCEPTED[model]}
QUICK = {"line", "steady", "masked", "bounded"}  # kinds of which every method is tried by the fast tests


@cache
def recipe_of(kind: str):
    return instance_from(data_of(kind), None, TRUST)


@cache
def batch_of(kind: str) -> tuple[Problem, Trajectory]:
    return recipe_of(kind).problem("train"), recipe_of(kind).simulate("train", range(4))


@cache
def config_of(model: str) -> dict:
    return composed(f"model={model}", "data=ks", *SMALL.get(model, []))


def test_every_method_has_its_place():
    assert set(ACCEPTED) == set(MODELS) and {kind for _, kind in FAST} < QUICK < set(KINDS)


@pytest.mark.parametrize(
    ("model", "kind"),
    [pair if pair[1] in QUICK else pytest.param(*pair, marks=pytest.mark.slow) for pair in TRAINED],
)
def test_a_method_learns_from_what_it_accepts(model, kind):
    """A finite loss, a gradient for every parameter after randomising all of them, a forecast of the right shape."""
    problem, batch = batch_of(kind)
    torch.manual_seed(0)
    method = build_model(config_of(model)["model"], problem, TRUST)
    method.calibrate([batch])
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    history, target = method.window
    frames = slice(0, None if target == "all" else history + target)
    torch.manual_seed(0)
    loss, logged = method.loss(batch.frames(frames))
    assert torch.isfinite(loss) and "loss" in logged
    loss.backward()
    stages = method.stages(Training())
    for stage in stages:
        if stage.step is not None:  # it moves its optimisers itself, each by a loss of its own
            made = stage.optimiser(stage.trained(method))
            stage.step(batch.frames(frames), made, torch.Tensor.backward)
    trained = {id(p) for stage in stages for p in stage.trained(method)}
    reached = {id(p) for p in method.parameters() if p.grad is not None and p.grad.any()}
    assert [name for name, p in method.named_parameters() if id(p) in trained - reached] == []
    if not method.forecasts:
        assert method.attempt(batch, torch.Generator()).shape == batch.u.shape
        return
    given, wanted = batch.frames(slice(0, history)), batch.frames(slice(history, None))
    found = method.eval().forecast(given, wanted.t, members=2, generator=torch.Generator().manual_seed(0))
    assert found.shape == (2, *wanted.u.shape) and torch.isfinite(found).all()
    assert torch.equal(found[0], found[1]) != method.stochastic, "members differ if, and only if, it is declared"


class Trained:
    """Runs by method and kind, each trained once; the data of each kind are generated once for all methods."""

    def __init__(self, folder: Path):
        self.folder, self.runs = folder, {}

    def config(self, model: str, kind: str, evaluate: bool) -> dict:
        config = composed(f"model={model}", "data=ks", *SMALL.get(model, []), *LITTLE, f"evaluate={evaluate}")
        config |= {"data": data_of(kind), "choices": {"model": model, "data": kind, "trainer": "cpu"}}
        return config | {"runs_dir": str(self.folder / "runs"), "data_dir": str(self.folder / "data")}

    def run(self, model: str, kind: str) -> Path:
        """The run of the script; it is evaluated only if the pair is named in `WHOLE`."""
        if (model, kind) not in self.runs:
            plan = plan_run(self.config(model, kind, (model, kind) in WHOLE), TRUST)
            self.runs[model, kind] = carry_out(plan), plan.model.eval()
        return self.runs[model, kind][0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    return Trained(tmp_path_factory.mktemp("contract"))


@pytest.mark.parametrize(
    ("model", "kind"),
    [pair if pair in FAST else pytest.param(*pair, marks=pytest.mark.slow) for pair in TAKEN],
)
def test_the_same_script_trains_it_and_what_is_saved_is_what_was_trained(model, kind, trained):
    run = trained.run(model, kind)
    again, method = pdekit.load(run, trust=TRUST), trained.runs[model, kind][1]
    assert again.problem == recipe_of(kind).problem("train")
    _, batch = batch_of(kind)
    if model in NO_FORECAST:
        made = [m.attempt(batch, torch.Generator().manual_seed(0)) for m in (method, again.model)]
    else:
        given, t = batch.frames(slice(0, method.window[0])), batch.t[:, method.window[0] :]
        made = [m.forecast(given, t, generator=torch.Generator().manual_seed(0)) for m in (method, again.model)]
    assert torch.isfinite(made[0]).all() and torch.equal(*made)


@pytest.mark.parametrize(
    ("model", "kind"),
    [pair if pair in FAST else pytest.param(*pair, marks=pytest.mark.slow) for pair in sorted(WHOLE)],
)
def test_the_same_script_evaluates_it(model, kind, trained):
    run = trained.run(model, kind)
    if model in NO_FORECAST:
        with xr.open_dataset(run / "reconstruction.nc", engine="h5netcdf") as scores:
            assert scores.nrmse.notnull().all()
        return
    assert_scored(run, [model], kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_methods_of_a_kind_are_evaluated_together(kind, trained, tmp_path):
    models = [model for model, other in TAKEN if other == kind and model not in NO_FORECAST]
    found = {model: pdekit.load(trained.run(model, kind), trust=TRUST).model for model in models}
    recipe, base = recipe_of(kind), trained.folder / "data"
    data = DataModule.from_folder(generate(recipe, base), trust=TRUST)
    settings = evaluation_from(from_plain(trained.config("fno", kind, True)["evaluation"]))
    evaluate_models(found, data, tmp_path, settings, Origin(kind, None, recipe, base, TRUST))
    assert_scored(tmp_path, models, kind)


def assert_scored(folder: Path, models: list[str], kind: str) -> None:
    """A report, and scores of every model next to the mean and, where there is one, the solver."""
    assert (folder / "report.html").exists() and (folder / "forecasts.nc").exists()
    with xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores:
        assert scores.nrmse.sel(model=models, member=0).notnull().all() and "mean" in scores.model.values
        solvers = [name for name in scores.model.values if str(name).startswith("solver,") or str(name) == "solver"]
        assert solvers or kind in PERIODIC


@pytest.mark.parametrize(("model", "kind"), REFUSED)
def test_a_meaningless_pair_is_refused_with_a_sentence_before_the_wait(model, kind, monkeypatch):
    from pdekit.workflows import training_run

    monkeypatch.setattr(training_run, "generate", None)
    config = config_of(model) | {"data": data_of(kind), "choices": {"model": model, "data": kind, "trainer": "cpu"}}
    with pytest.raises(ValueError, match=r"expected .*(found|got)") as refusal:
        plan_run(config, TRUST)
    assert len(str(refusal.value)) > 60


def test_the_page_says_what_is_accepted():
    """The table of docs/models.md: methods in rows, kinds of problems in columns."""
    table = next(block for block in PAGE.read_text().split("\n\n") if block.startswith("| model |"))
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    head = [cell.strip() for cell in rows[0]]
    assert tuple(head[1 : len(KINDS) + 1]) == KINDS
    told = {}
    for row in rows:
        for name in re.findall(r"`(\w+)`", row[0]):
            told[name] = {kind for kind, cell in zip(KINDS, row[1:], strict=False) if cell.strip() == "yes"}
    assert told == ACCEPTED
