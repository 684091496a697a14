"""Run folders: what is saved is what is loaded, and a user's arrays go in and come out with names."""

import dataclasses
import json
import warnings
from datetime import datetime

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors import safe_open
from safetensors.torch import save_file

from pdekit.fields import Field, Grid, Problem
from pdekit.models.one_step import OneStep
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from pdekit.provenance import commit, provenance, sha256, write_json, write_whole
from pdekit.runs import WEIGHTS, build_model, load, new_folder, save_weights
from tests.models.small import make_batch

CONFIG = {
    "model": {
        "_target_": "pdekit.models.pde_refiner.PDERefiner",
        "n_refinements": 2,
        "net": {"_target_": "pdekit.nets.fno.FNO", "_partial_": True, "width": 4, "modes": 3, "n_layers": 1},
    }
}


def ks_problem(**changes) -> Problem:
    known = dict(grid=Grid((16,), (22.0,)), fields=(Field("u", "m/s"),), dt=0.5, n_frames=4, pde=KuramotoSivashinsky())
    return Problem(**{**known, **changes})


def saved(folder, problem, config=CONFIG):
    torch.manual_seed(0)
    model = build_model(config["model"], problem)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)  # a new net ignores its conditions
    model.calibrate([make_batch(problem).to(torch.float32)])
    save_weights(folder, model, "pde_refiner", config)
    return model


def test_what_is_loaded_is_what_was_saved(tmp_path):
    problem = ks_problem(params=("viscosity",))
    model = saved(tmp_path, problem)
    run = load(tmp_path)
    assert run.problem == problem and run.name == "pde_refiner" and run.config == CONFIG
    assert list(run.model.state_dict()) == list(model.state_dict())
    batch = make_batch(problem).to(torch.float32)
    given, t = batch.frames(slice(0, 1)), batch.t[:, 1:]
    expected, found = (
        m.forecast(given, t, members=2, generator=torch.Generator().manual_seed(4)) for m in (model, run.model)
    )
    assert torch.equal(found, expected)


def test_a_run_forecasts_from_arrays(tmp_path):
    """The same answer from NumPy of several shapes, a tensor and xarray; named and with units."""
    model = saved(tmp_path, ks_problem())
    run = load(tmp_path)
    u0 = np.random.default_rng(0).normal(size=(3, 1, 16))
    result = run.forecast(u0, t=[0.5, 1.5], members=2, seed=4)
    assert result["u"].dims == ("member", "sample", "time", "x") and result["u"].shape == (2, 3, 2, 16)
    assert result["u"].attrs["units"] == "m/s" and result["time"].values.tolist() == [0.5, 1.5]
    named = xr.Dataset({"u": (("x", "sample"), u0[:, 0].T)})
    for same in (torch.from_numpy(u0), u0[:, None], named):
        assert run.forecast(same, t=[0.5, 1.5], members=2, seed=4).equals(result)
    first = run.forecast(u0[0], t=[0.5, 1.5], members=2, seed=4)
    np.testing.assert_allclose(first["u"][:, 0], result["u"][:, 0], rtol=1e-5, atol=1e-5)
    assert run.forecast(u0[0, 0], t=[0.5, 1.5], members=2, seed=4).equals(first)
    given = make_batch(ks_problem()).to(torch.float32)
    given.u[:, 0] = torch.from_numpy(u0)
    direct = model.forecast(
        given.frames(slice(0, 1)), given.t[:, [1, 3]], members=2, generator=torch.Generator().manual_seed(4)
    )
    assert np.array_equal(result["u"].values, direct[:, :, :, 0].numpy())


def test_parameters_and_coefficients_are_given_by_name(tmp_path):
    config = {"model": {**CONFIG["model"], "_target_": "pdekit.models.one_step.OneStep"}}
    config["model"].pop("n_refinements")
    problem = ks_problem(params=("nu", "dt"), coeffs=(Field("k"),), pde=None)
    saved(tmp_path, problem, config)
    run = load(tmp_path)
    u0, k = np.zeros((2, 1, 16)), np.ones(16)
    result = run.forecast(u0, [0.6], params={"dt": 0.3, "nu": [1.0, 2.0]}, coeffs={"k": k})
    assert not np.array_equal(result["u"][0, 0], result["u"][0, 1])
    known = dataclasses.replace(run, config={"ranges": {"nu": [1.0, 1.5]}})
    with pytest.warns(UserWarning, match=r"nu = 2 is outside the values of the training, 1 to 1\.5: the"):
        known.forecast(u0, [0.6], params={"dt": 0.3, "nu": [1.0, 2.0]}, coeffs={"k": k})
    with warnings.catch_warnings(action="error"):
        known.forecast(u0, [0.6], params={"dt": 0.3, "nu": 1.5 + 1e-7}, coeffs={"k": k})
    with pytest.raises(ValueError, match=r"expected params \['dt', 'nu'\], got \['nu'\]"):
        run.forecast(u0, [0.6], params={"nu": 1.0}, coeffs={"k": k})
    with pytest.raises(ValueError, match=r"expected coeffs \['k'\], got \[\]"):
        run.forecast(u0, [0.6], params={"dt": 0.3, "nu": 1.0})
    with pytest.raises(ValueError, match=r"multiples of dt = 0\.3"):
        run.forecast(u0, [0.5], params={"dt": 0.3, "nu": 1.0}, coeffs={"k": k})


def test_a_steady_run_needs_no_state(tmp_path):
    config = {"model": {"_target_": "pdekit.models.one_step.OneStep", "net": CONFIG["model"]["net"]}}
    problem = Problem(Grid((8, 8), (1.0, 1.0)), (Field("p"),), coeffs=(Field("k"),))
    saved(tmp_path, problem, config)
    result = load(tmp_path).forecast(None, [0.0], coeffs={"k": np.ones((3, 8, 8))})
    assert result["p"].shape == (1, 3, 1, 8, 8)
    saved(tmp_path, ks_problem())
    with pytest.raises(ValueError, match="only a steady problem needs none"):
        load(tmp_path).forecast(None, [0.5])


def test_a_geometry_is_given_as_a_mask(tmp_path):
    """Fields are NaN where they do not exist; a mask of one sample serves for all; scalars may make the samples."""
    problem = Problem(Grid((8, 8), (1.0, 1.0)), (Field("p"), Field("T")), params=("radius",), has_mask=True)
    model = {**CONFIG["model"], "_target_": "pdekit.models.one_step.OneStep"}
    model.pop("n_refinements")
    saved(tmp_path, problem, {"model": model})
    run, mask = load(tmp_path), np.ones((2, 8, 8), bool)
    mask[1, 3:] = False
    result = run.forecast(None, [0.0], params={"radius": [1.0, 2.0, 3.0]}, mask=mask)
    assert result.p.shape == (1, 3, 1, 8, 8) and result.p.notnull().all()
    assert (result["T"].notnull().values == mask[1]).all()
    whole = run.forecast(None, [0.0], params={"radius": 1.0}, mask=np.ones((8, 8)))
    assert whole["T"].notnull().all() and abs(whole.p[0, 0] - result.p[0, 0]).max() > 1e-6  # the net sees it
    for wrong, message in ((None, "expected a mask for this problem, got none"), (np.ones((3, 8)), "of shape")):
        with pytest.raises(ValueError, match=message):
            run.forecast(None, [0.0], params={"radius": 1.0}, mask=wrong)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 17, 1), "ends in \\(1, 16\\)"),
        ((3, 2, 16), "ends in"),
        ((3, 2, 1, 16), "1 history frames"),
        ((), "ends in"),
    ],
)
def test_a_state_of_a_wrong_shape_is_refused(tmp_path, shape, message):
    saved(tmp_path, ks_problem())
    with pytest.raises(ValueError, match=message):
        load(tmp_path).forecast(np.zeros(shape), [0.5])


def test_a_state_that_is_not_finite_is_refused(tmp_path):
    saved(tmp_path, ks_problem())
    with pytest.raises(ValueError, match="expected a finite state u0"):
        load(tmp_path).forecast(np.full((1, 16), np.nan), [0.5])


def test_a_folder_without_weights_is_refused(tmp_path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(FileNotFoundError, match=r"found \['config.yaml'\]"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load(tmp_path / "nowhere")


def test_foreign_and_damaged_weights_are_refused(tmp_path):
    (tmp_path / WEIGHTS).write_bytes(b"not tensors at all")
    with pytest.raises(ValueError, match="damaged file"):
        load(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="found None"):
        load(tmp_path)


def test_weights_that_name_foreign_code_are_refused(tmp_path):
    saved(tmp_path, ks_problem())
    with safe_open(tmp_path / WEIGHTS, "pt") as stored:
        header = stored.metadata()
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    for target in ("os.system", "pdekit.machine.os.system", "my_package.Model"):
        header["config"] = json.dumps({"model": {"_target_": target}})
        save_file(tensors, tmp_path / WEIGHTS, metadata=header)
        with pytest.raises(ValueError, match=r"trust=|to exist"):
            load(tmp_path)


def test_run_folders_do_not_collide(tmp_path):
    now = datetime(2026, 1, 2, 3, 4, 5)
    names = [new_folder(tmp_path, "fno", "ks", now).name for _ in range(3)]
    first = "2026-01-02-030405-fno-ks"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_provenance_says_what_a_result_depends_on(tmp_path):
    record = provenance(seed=3, seconds={"train": 1.5})
    assert record["versions"]["torch"] == torch.__version__ and record["seed"] == 3
    assert commit() is None or len(commit().removesuffix("-dirty")) == 40
    write_json(tmp_path / "provenance.json", record)
    assert json.loads((tmp_path / "provenance.json").read_text()) == record
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_a_text_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "whole\ud800")  # cannot be encoded
    assert json.loads(path.read_text()) == {"a": 1} and [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_a_model_is_built_from_plain_values():
    model = build_model(CONFIG["model"], ks_problem())
    assert model.n_refinements == 2 and model.net.in_channels == 2
    plain = build_model({"_target_": "pdekit.models.one_step.OneStep", "net": CONFIG["model"]["net"]}, ks_problem())
    assert isinstance(plain, OneStep)
    with pytest.raises(ValueError, match="did you mean 'n_refinements'"):
        build_model({**CONFIG["model"], "n_refinement": 2}, ks_problem())
