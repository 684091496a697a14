"""Settings of another kind are refused in one sentence, the same from Python and on the command line."""

import dataclasses
import os
import subprocess
import sys

import pytest

from pdekit import evaluate as evaluation_command
from pdekit import infer as inference_command
from pdekit import train as training_command
from pdekit.data.description import check_numbers
from pdekit.evaluation.settings import evaluation_from
from pdekit.infer import settings_of
from pdekit.models.prompts import Prompt
from pdekit.runs import Run
from pdekit.settings import Training
from pdekit.simulate import recipe_named, solve
from pdekit.typed_values import LARGEST_SEED, check_numbers_of, check_seed, of_type

WRONG = [
    ("keep=3", {"keep": 3}, "expected keep as a mapping of its settings, got 3; set keep.NAME=VALUE"),
    ("sweep.steps=2", {"sweep": {"steps": 2}}, "expected sweep.steps as a list of whole numbers, got 2"),
    ("keep.samples=1", {"keep": {"samples": 1}}, "expected keep.samples as a list of whole numbers, or null, got 1"),
    ("keep.n_samples=2.5", {"keep": {"n_samples": 2.5}}, "expected keep.n_samples as a whole number, got 2.5"),
    ("sweep.sizes=[nan]", {"sweep": {"sizes": [float("nan")]}}, "expected sweep.sizes as a list of finite numbers"),
    ("sweep.steps=[1.5]", {"sweep": {"steps": [1.5]}}, "expected sweep.steps as a list of whole numbers, got [1.5]"),
    ("starts=0", {"starts": 0}, "expected starts as a list of whole numbers, got 0; for example starts=[1]"),
    ("measures=rmse", {"measures": "rmse"}, "expected measures as a list of words, or null, got 'rmse'"),
    ("compare_at=nan", {"compare_at": float("nan")}, "expected compare_at=TIME, null or useful, got nan"),
    ("members=true", {"members": True}, "expected members as a whole number, got True"),
    ("progress=perhaps", {"progress": "perhaps"}, "expected progress as true or false, got 'perhaps'"),
    ("seed=-1", {"seed": -1}, "expected seed as a whole number from 0 to 2^63 - 1, got -1; for example seed=0"),
    ("+keep.sampels=[1]", {"keep": {"sampels": [1]}}, "expected the settings of keep, found others: 'sampels'"),
]  # fmt: skip


def sentence(command, *arguments):
    os.environ.pop("PDEKIT_FULL_ERROR", None)
    with pytest.raises(SystemExit) as end:
        command.main(list(arguments))
    return str(end.value).removeprefix("error: ").rpartition("\n")[0]


@pytest.mark.parametrize(("typed", "given", "said"), WRONG)
def test_an_evaluation_refuses_a_value_of_another_kind(typed, given, said):
    with pytest.raises(ValueError, match="expected") as refused:
        evaluation_from(given)
    assert str(refused.value).startswith(said)
    assert sentence(evaluation_command, "run=nowhere", typed) == str(refused.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("training.steps=2.5", "expected training.steps as a whole number, got 2.5"),
        ("training=3", "expected training as a mapping of its settings, got 3"),
        ("training.lr=fast", "expected training.lr as a finite number, got 'fast'"),
        ("loading.batch_size=[4]", "expected loading.batch_size as a whole number, got [4]"),
        ("trainer.devices=two", "expected trainer.devices as a whole number, got 'two'"),
        ("evaluation.sweep=all", "expected evaluation.sweep as a mapping of its settings, got 'all'"),
        (
            "evaluation.horizon=abc",
            "expected evaluation.horizon as a whole number, or null, got 'abc'; for example eval",
        ),
        ("evaluation.starts=[-1]", "in evaluation: expected starts >= 0, at least one, got (-1,)"),
        (
            "data.params=3",
            "expected data.params of pdekit.recipes.trajectories.Recipe as values by name, got 3; set data",
        ),
        ("data.dt=fast", "expected data.dt as a finite number, got 'fast'; for example data.dt=0.5"),
        ("data.grid.shape=64", "expected data.grid.shape as a list of whole numbers, got 64"),
        ("data.pde.nu=1", "expected options of data.pde (pdekit.pdes.KuramotoSivashinsky) among"),
        (f"seed={2**64}", "expected seed as a whole number from 0 to 2^63 - 1"),
        (f"data.seed={2**64}", "expected integers of at most 63 bits"),
        ("data.seed=-1", "expected seed as a whole number from 0 to 2^63 - 1, got -1"),
        ("evaluate=perhaps", "expected evaluate as true or false, got 'perhaps'"),
    ],
)
def test_a_training_refuses_a_value_of_another_kind(tmp_path, monkeypatch, typed, said):
    monkeypatch.chdir(tmp_path)
    assert sentence(training_command, "model=mean", "data=ks", typed).startswith(said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "model.net=3",
            "expected model.net of pdekit.models.one_step.OneStep as values by name, got 3; set model.net.N",
        ),
        ("model.net.width=abc", "expected model.net.width as a whole number, got 'abc'; for example model.net.width=1"),
        ("model.net.width=1000000000000000", "expected a model and options that fit the problem, found 'pdekit.models"),
        ("model.net.wdth=3", "expected options of model.net (pdekit.nets.fno.FNO) among"),
        ("model.history=[2]", "expected model.history as a whole number, got [2]"),
    ],
)
def test_an_option_of_a_model_is_named_as_it_is_typed(typed, said):
    """Not by the class that the configuration names, of which a user need not know."""
    assert sentence(training_command, "model=fno", "data=ks", typed).startswith(said)


def test_no_text_of_a_library_is_shown():
    for typed in ("training.stesp=3", "trainer.device=2", "loading.shuffle=true"):
        found = sentence(training_command, "model=mean", "data=ks", typed)
        assert "did you mean" in found or "There are" in found, found
    assert sentence(evaluation_command, "run=nowhere", f"seed={2**64}").startswith(
        "expected integers of at most 63 bits"
    )
    for wrong in ("omegaconf", "Hydra", "TypeError", "unexpected keyword"):
        assert wrong not in sentence(evaluation_command, "run=nowhere", "keep=3")


PYTHON = """
from pdekit.data.loading import Loading
from pdekit.evaluation.settings import Evaluation, KeptForecasts, SolverSweep
from pdekit.inference.settings import Inference
from pdekit.settings import Engine, Training
for kind, values in ((KeptForecasts, {"samples": 1}), (SolverSweep, {"steps": (1.5,)}), (Evaluation, {"members": "2"}),
    (Training, {"steps": "5"}), (Engine, {"devices": None}), (Loading, {"batch_size": 2.5}), (Inference, {"seed": -1})):
    try:
        kind(**values)
    except ValueError as error:
        print(error)
"""


def test_constructors_refuse_the_same():
    """In a process of its own, because the type checker of the tests refuses the values before the constructors do."""
    done = subprocess.run([sys.executable, "-c", PYTHON], capture_output=True, text=True, check=True)
    assert [line.partition(" as ")[0].removeprefix("expected ") for line in done.stdout.splitlines()] == [
        "keep.samples", "sweep.steps", "members", "training.steps", "trainer.devices", "loading.batch_size", "seed"
    ]  # fmt: skip


def test_python_refuses_the_same():
    for make in (
        lambda: settings_of({"members": "8"}),
        lambda: settings_of({"seed": -1}),
        lambda: Prompt("a wave", seed=2**64),
        lambda: solve("ks", seed=2**64),
        lambda: Run.forecast(None, None, 1.0, seed=-1),
        lambda: dataclasses.replace(recipe_named("ks"), seed=-1),
    ):
        with pytest.raises(ValueError, match=r"expected .* got"):
            make()
    assert sentence(inference_command, "run=nowhere", "members=2.5") == str(refusal({"members": 2.5}))
    with pytest.raises(ValueError, match=r"origin with a number for each axis of space, got 0; give origin="):
        check_numbers(0.1, (1.0,), 0)


def refusal(values):
    with pytest.raises(ValueError, match=r"expected members as a whole number, got 2\.5") as found:
        settings_of(values)
    return found.value


def test_values_of_the_right_kind_are_taken():
    assert of_type([1], tuple[float, ...], "x") == (1.0,) and of_type(2026, str | None, "folder") == "2026"
    assert Training(lr=1).lr == 1.0 and evaluation_from({"compare_at": "useful"}).compare_at == "useful"
    assert check_seed(LARGEST_SEED) == 2**63 - 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, float("nan"), "3", True, [2]])
def test_numbers_of_things_are_whole_and_at_least_one(wrong):
    with pytest.raises(ValueError, match="expected members >= 1 and whole, got"):
        check_numbers_of(n_frames=None, members=wrong)
