"""Samples from a prompt: what is written, what is the same for one seed, what is answered to a prompt beyond it."""

import json
import warnings
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

import pdekit
from pdekit.diffusion.samplers.flow import FlowRungeKutta
from pdekit.fields import Field, Grid
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.prompts import Prompt, levels_for
from pdekit.models.text2pde import Text2PDE
from pdekit.nets.grid_autoencoder import GridAutoencoder
from pdekit.nets.text_encoder import TextEncoder
from pdekit.nets.transformer import SpaceTimeTransformer, TransformerSize
from pdekit.runs import Run, load, save_model
from pdekit.sample import main
from pdekit.workflows.sample_run import start_frame
from tests.models.small import make_problem
from tests.models.test_text2pde import captioned, made

PROMPT = "a wave of height 0.2 at the left"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """An untrained model with random weights in a run folder, that knows three captions."""
    folder = tmp_path_factory.mktemp("run")
    problem = make_problem(grid=Grid((8, 8), (1.0, 1.0)), has_text=True)
    torch.manual_seed(0)
    model = Text2PDE(
        problem,
        partial(Autoencoder, net=partial(GridAutoencoder, widths=(4,), latent_channels=2, time_halvings=1)),
        partial(SpaceTimeTransformer, size=TransformerSize(8, 1, 2)),
        partial(TextEncoder, width=8, depth=1, heads=2),
    )
    model.calibrate([captioned(problem)])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_model(folder, model)
    return load(folder)


def test_the_command_writes_data_an_animation_and_a_picture(run, tmp_path, capsys):
    main([f"run={run.path}", f"prompt={PROMPT}", "members=2", "seed=5", "calls=4", "guidance=2", f"out={tmp_path}"])
    assert "2 samples of 6 frames" in capsys.readouterr().out
    with xr.open_dataset(tmp_path / "sample.nc", engine="h5netcdf") as found:
        assert found.a.dims == ("member", "time", "x", "y") and found.sizes["time"] == 6
        assert found.attrs["prompt"] == PROMPT and found.attrs["seed"] == 5
        again = pdekit.sample(run, Prompt(PROMPT, members=2, seed=5, calls=4, guidance=2.0))
        xr.testing.assert_equal(found.load(), again)
    with Image.open(tmp_path / "sample.gif") as animation:
        assert animation.n_frames == 6
    with Image.open(tmp_path / "sample.png") as picture:
        assert picture.size[0] > picture.size[1] > 100


@pytest.mark.slow
def test_samples_of_two_prompts_are_kept(run, tmp_path, capsys):
    options = ["seed=3", "calls=1"]
    for prompt, place in ((PROMPT, "3"), ("a wave of height 0.3 at the right", "3-2"), (PROMPT, "3"), ("", "3-3")):
        main([f"run={run.path}", f"prompt={prompt}", *options])
        said = capsys.readouterr().out
        assert said.endswith(f"in {run.path / 'samples' / place}\n")
    assert said.startswith("note: the prompt is empty: the samples follow no caption\n1 samples")
    first = json.loads((run.path / "samples" / "3" / "request.json").read_text())
    assert first["text"] == PROMPT and first["calls"] == 1
    assert not list((run.path / "samples").glob(".*"))
    pdekit.sample(run, Prompt(PROMPT, calls=1), tmp_path)
    with pytest.raises(ValueError, match="found some with another seed; give another folder"):
        pdekit.sample(run, Prompt(PROMPT, calls=1, seed=1), tmp_path)


def test_an_interrupted_sample_leaves_the_one_before(run, tmp_path, monkeypatch):
    pdekit.sample(run, Prompt(PROMPT, calls=1), tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr("pdekit.workflows.sample_run.write_picture", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        pdekit.sample(run, Prompt(PROMPT, calls=1), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_damaged_request_is_an_unknown_one(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pdekit.sample(run, Prompt(PROMPT, calls=1), ".")
    assert {path.name for path in tmp_path.iterdir()} == {"request.json", "sample.gif", "sample.nc", "sample.png"}
    for content in ("{", "[1]", ""):
        (tmp_path / "request.json").write_text(content)
        with pytest.raises(ValueError, match="found some with another text; give another folder"):
            pdekit.sample(run, Prompt(PROMPT, calls=1), tmp_path)


def test_a_parameter_outside_the_training_is_remarked(monkeypatch):
    problem = make_problem(params=("nu",))
    run = Run(Path("run"), "text2pde", made(problem, ["params"]), {"ranges": {"nu": [0.5, 1.5]}})
    with pytest.warns(UserWarning, match=r"nu = 2 is outside the values of the training, 0\.5 to 1\.5"):
        run.sample(Prompt(params={"nu": 2.0}, calls=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.sample(Prompt(params={"nu": 1.5}, calls=1))


def test_seeds_members_and_prompts_change_the_sample(run):
    first = run.sample(Prompt(PROMPT, members=2))
    xr.testing.assert_equal(pdekit.sample(run.path, Prompt(PROMPT, members=2)), first)
    xr.testing.assert_allclose(pdekit.sample(run, PROMPT).isel(member=0), first.isel(member=0), rtol=1e-4, atol=1e-5)
    assert not first.isel(member=0).equals(first.isel(member=1))
    assert not run.sample(Prompt(PROMPT, members=2, seed=1)).equals(first)
    assert not run.sample(Prompt("a wave of height 0.3 at the right", members=2)).equals(first)


def test_a_prompt_beyond_the_training_is_answered_with_what_is_near(run, tmp_path, capsys):
    with pytest.raises(
        ValueError, match=r"'hight' was not in the captions .* nearest known words are height, right"
    ) as found:
        run.sample(Prompt("a wave of hight 0.2"))
    assert "anyway=true" in str(found.value)
    with pytest.raises(ValueError, match=r"0\.9 after 'height' is outside the values of the training, 0\.1 to 0\.3"):
        run.sample(Prompt("a wave of height 0.9"))
    assert run.sample(Prompt("a wave of height 0.9", anyway=True)).sizes["member"] == 1
    with pytest.raises(SystemExit, match="error: expected a prompt like the captions"):
        main([f"run={run.path}", "prompt=a whale", f"out={tmp_path}"])
    assert list(tmp_path.iterdir()) == []


def test_parameters_instead_of_a_prompt():
    problem = make_problem(params=("nu",))
    model = made(problem, ["params"])
    run = Run(Path("run"), "text2pde", model, {})
    assert run.sample(Prompt(params={"nu": 1.5})).a.dims == ("member", "time", "x")
    with pytest.raises(ValueError, match=r"expected values of the parameters \['nu'\], got \[\]"):
        run.sample(Prompt())
    with pytest.raises(ValueError, match="expected no prompt for a model that is conditioned on"):
        run.sample(Prompt("a wave"))


def test_a_first_frame_begins_the_sample_and_lets_it_go_on(tmp_path):
    """The start is the first frame; a longer sample is the forecast from it; a file of it can be continued."""
    model = made(make_problem())
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    run, start = Run(Path("run"), "text2pde", model, {}), torch.randn(2, 8)
    found = run.sample(Prompt(start=start, duration=5.0))
    u = torch.tensor(found.to_array().values)[:, 0]
    assert found.sizes["time"] == 11 and float(found.time[-1]) == 5.0
    torch.testing.assert_close(u[:, 0], start, check_dtype=False)
    whole = run.forecast(start, 0.5 * torch.arange(1, 11)).to_array().values[:, 0, 0]
    torch.testing.assert_close(u[:, 1:], torch.tensor(whole))
    assert run.sample(Prompt(start=start, duration=1.0)).sizes["time"] == 3
    with pytest.raises(ValueError, match=r"expected duration <= 299\.5, 100 times that of the training, got 1e\+12"):
        run.sample(Prompt(start=start, duration=1e12))
    found.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    np.save(tmp_path / "a.npy", u[:, -1].numpy())
    for name in ("a.nc", "a.npy"):
        torch.testing.assert_close(start_frame(tmp_path / name, model.problem), u[:, -1], check_dtype=False)
    with pytest.raises(ValueError, match=r"expected \.npy or \.nc"):
        start_frame(Path(__file__), model.problem)
    with pytest.raises(ValueError, match=r"expected a first frame of shape \(2, 8\), got \(2, 16\)"):
        run.sample(Prompt(start=torch.randn(2, 16)))


def test_a_model_without_a_first_frame_has_no_longer_samples(run):
    with pytest.raises(ValueError, match=r"expected duration <= 2\.5, that of the training, got 5"):
        run.sample(Prompt(PROMPT, duration=5.0))
    with pytest.raises(ValueError, match="expected no first frame for a model that is conditioned on"):
        run.sample(Prompt(PROMPT, start=torch.zeros(2, 8, 8)))
    short = run.sample(Prompt(PROMPT, duration=1.0))
    xr.testing.assert_equal(short, run.sample(Prompt(PROMPT)).isel(time=slice(3)))


def test_forecasts_take_captions(run):
    """`captioned` forecasts are the samples of their captions; they are refused where data have none."""
    caption = "a wave of height 0.3 at the right"
    found = run.captioned(caption).forecast(None, [0.0, 2.5])
    xr.testing.assert_allclose(found.isel(sample=0), run.sample(Prompt(caption)).isel(time=[0, -1]).drop_attrs())
    assert run.captioned(PROMPT, caption).forecast(None, 0.5).sizes["sample"] == 2
    with pytest.raises(ValueError, match="expected a caption for each of 1 samples, got none"):
        run.forecast(None, [0.0])
    with pytest.raises(ValueError, match=r"expected no state u0 .* a method that sees no frame"):
        run.captioned(caption).forecast(torch.zeros(2, 8, 8), [0.5])
    with pytest.raises(ValueError, match="expected a run of data with captions"):
        Run(Path("run"), "text2pde", made(make_problem()), {}).captioned("a wave")


def test_models_that_cannot_answer_are_refused():
    run = Run(Path("run"), "text2pde", made(make_problem()), {})
    with pytest.raises(ValueError, match="expected a first frame, start= for a model that is conditioned on"):
        run.sample(Prompt("a wave"))
    masked = Run(Path("run"), "text2pde", made(make_problem(coeffs=(Field("c"),))), {})
    with pytest.raises(ValueError, match="a first frame, got one that is conditioned on fields or a mask"):
        masked.sample(Prompt())
    with pytest.raises(ValueError, match="members >= 1"):
        Prompt("a wave", members=0)
    with pytest.raises(ValueError, match="expected duration > 0"):
        Prompt("a wave", duration=0.0)
    for wrong in ({"guidance": float("nan")}, {"params": {"nu": float("inf")}}, {"duration": float("nan")}):
        with pytest.raises(ValueError, match="expected finite numbers in a prompt"):
            Prompt(**wrong)
    assert levels_for(FlowRungeKutta(2), 10) == 5 and levels_for(FlowRungeKutta(4), 2) == 1


@pytest.mark.parametrize("argument", ["prompt", "sed=3", "seed=three", "anyway=perhaps", "resolution=64"])
def test_wrong_arguments_are_sentences(argument):
    with pytest.raises(SystemExit, match="error: expected"):
        main(["run=nowhere", argument])
