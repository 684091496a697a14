"""A user's own arrays at `Run.forecast` and `pdekit.solve`: honoured as they are named, or refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import pdekit
from pdekit.fields import Field, Grid, Problem
from pdekit.given import input_field, real_numbers, state
from pdekit.models.baselines.mean import Mean
from pdekit.models.one_step import OneStep
from pdekit.models.operator import Operator
from pdekit.nets.deeponet import DeepONet, Trunk
from pdekit.nets.fno import FNO
from pdekit.pdes import Burgers, KuramotoSivashinsky, NavierStokes2D, ShallowWater
from pdekit.runs import Run
from tests.models.small import FunctionNet, make_batch

LINE = Problem(Grid((16,), (22.0,)), (Field("u"), Field("v")), dt=0.5, n_frames=4)
DARCY = Problem(Grid((9, 9), (1.0, 1.0), layout=("nodes",) * 2), (Field("p"),), coeffs=(Field("k"),))


def run_of(problem, kind=OneStep, net=None, **options):
    torch.manual_seed(0)
    if kind is OneStep:
        model = OneStep(problem, net or (lambda **sizes: FNO(modes=3, width=4, n_layers=1, **sizes)), **options)
    else:
        model = kind(problem, *([net] if net else []))
    model.calibrate([make_batch(problem).to(torch.float32)])
    return Run(Path("."), "model", model.eval(), {})


def named(u: np.ndarray, **coords) -> xr.Dataset:
    data = xr.Dataset({"u": ("x", u[0]), "v": ("x", u[1])})
    return data.assign_coords(coords or {"x": LINE.grid.coordinates(0).numpy()})


@pytest.fixture(scope="module")
def line():
    u0 = np.random.default_rng(0).normal(size=(2, 16))
    run = run_of(LINE)
    return run, u0, run.forecast(u0, [0.5])


@pytest.mark.parametrize(
    "same",
    [
        lambda u: named(u),
        lambda u: named(u).isel(x=slice(None, None, -1)),
        lambda u: named(u)[["v", "u"]],
        lambda u: named(u).to_dataarray("channel").isel(channel=[1, 0]),
        lambda u: named(u).to_dataarray("channel").transpose("x", "channel"),
        lambda u: u.tolist(),
        lambda u: u.astype(">f8"),
        lambda u: np.ma.masked_array(u, np.zeros_like(u, dtype=bool)),
    ],
    ids=["named", "descending", "order", "channels", "turned", "list", "big-endian", "unmasked"],
)
def test_the_same_state_gives_the_same_forecast(line, same):
    run, u0, expected = line
    assert run.forecast(same(u0), [0.5]).identical(expected)


def test_integers_and_halves_are_numbers(line):
    run = line[0]
    whole = np.arange(32).reshape(2, 16) % 5
    expected = run.forecast(whole.astype(float), [0.5])
    assert run.forecast(whole, [0.5]).identical(expected)
    assert run.forecast(torch.from_numpy(whole).bfloat16(), [0.5]).identical(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda u: named(u, x=np.arange(16) * 11 / 16), "found 0 to 10.3"),
        (lambda u: named(u, x=np.linspace(0, 1, 16) ** 2 * 20.625), "uneven"),
        (lambda u: named(u, x=1 + np.arange(16) * 22 / 16), "found 1 to"),
        (lambda u: named(u).rename(x="s"), "add or rename"),
        (lambda u: named(u).expand_dims("member"), "select an entry of"),
        (lambda u: named(u)["u"], "one variable for each field"),
        (lambda u: named(u)[["u"]], "add"),
        (lambda u: named(u).rename(u="w").to_dataarray("channel"), "rename them"),
        (lambda u: u + 1j, "real and imaginary parts"),
        (lambda u: torch.from_numpy(u) + 1j, "real and imaginary parts"),
        (lambda u: u.astype(str), "real numbers"),
        (lambda u: [[1.0, 2.0], [1.0]], "real numbers"),
        (lambda u: np.ma.masked_array(u, u > 0), "without masked values"),
        (lambda u: u[:, :0], "at least one sample and one point in u0"),
        (lambda u: np.where(u > 1, np.inf, u), "finite state"),
        (lambda u: 1e300 * u, r"at most 3\.4e\+38 in u0"),
    ],
)
def test_what_a_state_says_against_the_problem_is_refused(line, change, message):
    run, u0, _ = line
    with pytest.raises(ValueError, match=message):
        run.forecast(change(u0), [0.5])


@pytest.mark.parametrize(
    "options",
    [{"t": []}, {"t": [1e12]}, {"t": [np.nan]}, {"t": [[0.5]]}, {"members": 0}, {"t": None}],
)
def test_impossible_times_and_members_are_refused(line, options):
    with pytest.raises(ValueError, match="expected"):
        line[0].forecast(line[1], **{"t": [0.5], **options})


def test_a_dataarray_of_another_name_is_refused():
    problem = Problem(Grid((8,), (1.0,)), (Field("u"),), dt=0.5, n_frames=3)
    data = xr.DataArray(np.ones(8), dims="x", name="temperature")
    with pytest.raises(ValueError, match="named 'temperature'"):
        state(data, problem)
    assert state(data.rename("u"), problem).shape == (1, 1, 1, 8)


def test_history_frames_must_be_neighbours():
    run = run_of(LINE, history=2)
    data = named(np.ones((2, 16))).expand_dims(time=[-0.5, 0.0])
    assert run.forecast(data, [0.5]).sizes["sample"] == 1
    with pytest.raises(ValueError, match=r"steps of dt = 0\.5"):
        run.forecast(data.assign_coords(time=[0.0, -0.5]), [0.5])


@pytest.mark.parametrize("shape", [(58, 58), (17, 17), (9, 17)])
@pytest.mark.parametrize("kind", ["fno", "deeponet"])
def test_a_coefficient_on_another_grid_is_answered_there(kind, shape):
    """One sample on the grid of the coefficient, not several cut out of it; and the same function of place."""
    if kind == "fno":
        run = run_of(DARCY)
    else:
        run = run_of(DARCY, Operator, lambda **sizes: DeepONet(**sizes, trunk=Trunk(4, width=8, depth=1)))

    def smooth(grid):
        x, y = grid.mesh()
        return 1 + 0.3 * torch.sin(2 * x) * torch.cos(y)

    fine = DARCY.grid.resized(shape)
    found = run.forecast(None, [0.0], coeffs={"k": smooth(fine).numpy()})
    assert dict(found.sizes) == {"member": 1, "sample": 1, "time": 1, "x": shape[0], "y": shape[1]}
    coarse = run.forecast(None, [0.0], coeffs={"k": smooth(DARCY.grid).numpy()})
    corners = {"x": [0, -1], "y": [0, -1]}
    np.testing.assert_allclose(found.p.isel(corners), coarse.p.isel(corners), rtol=0.1, atol=0.05)


@pytest.mark.parametrize("shape", [(81,), (9 * 9, 1, 1, 1), (4, 9, 9, 1)])
def test_a_coefficient_of_other_dimensions_is_refused(shape):
    with pytest.raises(ValueError, match=r"of shape \(9, 9\)"):
        run_of(DARCY).forecast(None, [0.0], coeffs={"k": np.ones(shape)})


def test_a_model_made_for_one_grid_says_so():
    with pytest.raises(ValueError, match="made for 9x9 points"):
        run_of(DARCY, Mean).forecast(None, [0.0], coeffs={"k": np.ones((17, 17))})


def test_inputs_of_different_grids_or_samples_are_refused():
    problem = Problem(Grid((16,), (1.0,)), (Field("u"),), dt=0.5, n_frames=3, coeffs=(Field("k"),), params=("a",))
    run = run_of(problem)
    with pytest.raises(ValueError, match="all inputs on one grid"):
        run.forecast(np.ones(16), [0.5], {"a": 1.0}, {"k": np.ones(32)})
    with pytest.raises(ValueError, match="one number of samples"):
        run.forecast(np.ones((2, 1, 16)), [0.5], {"a": [1.0, 2.0, 3.0]}, {"k": np.ones(16)})
    with pytest.raises(ValueError, match="one finite number for"):
        run.forecast(np.ones(16), [0.5], {"a": np.nan}, {"k": np.ones(16)})
    with pytest.raises(ValueError, match="finite values in"):
        run.forecast(np.ones(16), [0.5], {"a": 1.0}, {"k": np.full(16, np.nan)})
    assert run.forecast(np.ones(16), [0.5], {"a": [1.0, 2.0]}, {"k": np.ones(16)}).sizes["sample"] == 2


@pytest.mark.parametrize(
    ("pde", "values", "allowed"),
    [
        (KuramotoSivashinsky(), {"viscosity": 0.0}, False),
        (Burgers(), {"viscosity": 0.0}, True),
        (Burgers(), {"viscosity": torch.tensor([0.1, -0.1])}, False),
        (NavierStokes2D(), {"drag": -0.1}, False),
        (NavierStokes2D(), {"forcing": -0.1}, True),
        (ShallowWater(), {"gravity": -1.0}, False),
        (ShallowWater(), {"gravity": np.inf}, False),
    ],
)
def test_parameters_outside_the_limits_of_an_equation_are_refused(pde, values, allowed):
    if allowed:
        return pde.check(values)
    with pytest.raises(ValueError, match=f"{next(iter(values))} of {type(pde).__name__}"):
        pde.check(values)


def test_forecasts_and_solutions_refuse_an_ill_posed_equation():
    problem = Problem(Grid((16,), (22.0,)), (Field("u"),), 0.5, 3, params=("viscosity",), pde=KuramotoSivashinsky())
    with pytest.raises(ValueError, match="ill-posed"):
        run_of(problem).forecast(np.ones(16), [0.5], {"viscosity": -1.0})
    with pytest.raises(ValueError, match="ill-posed"):
        pdekit.solve("ks", params={"viscosity": -1.0}, n_frames=2)


def test_a_start_is_solved_as_its_coordinates_say():
    plain = pdekit.solve("ks", n_frames=2, shape=(64,), n_trajectories=1)
    start = plain.isel(time=0)
    u0 = np.asarray(start["u"].values)
    expected = pdekit.solve("ks", u0=u0[:, None], n_frames=2, shape=(64,))
    for same in (start, start.isel(x=slice(None, None, -1)), u0[:, None].astype(">f8"), u0[:, None].tolist()):
        found = pdekit.solve("ks", u0=same, n_frames=2, shape=(64,))
        np.testing.assert_array_equal(found["u"], expected["u"])
    with pytest.raises(ValueError, match="box of the problem"):
        pdekit.solve("ks", u0=start.assign_coords(x=start.x / 2), n_frames=2, shape=(64,))
    with pytest.raises(ValueError, match="real and imaginary"):
        pdekit.solve("ks", u0=u0[:, None] + 1j, n_frames=2, shape=(64,))


def test_a_start_of_cell_averages_comes_back_unchanged():
    first = pdekit.solve("shallow_water", n_frames=1, n_trajectories=1)
    again = pdekit.solve("shallow_water", u0=first.isel(time=0), n_frames=1)
    for name in ("depth", "momentum_x"):
        np.testing.assert_allclose(again[name], first[name], atol=3e-7)  # its solver works in float32


def test_numbers_keep_their_precision():
    assert real_numbers("u0", [1 / 3]).item() == 1 / 3 and real_numbers("u0", 2).shape == ()


def test_forcing_is_given_for_every_step():
    """A net that returns the forcing of the next frame: its forecast is the forcing."""
    problem = Problem(Grid((8,), (1.0,)), (Field("u"),), dt=0.5, n_frames=4, forcing=(Field("wind"),))
    run = run_of(problem, net=lambda **sizes: FunctionNet(lambda u, condition: u[:, -1:]), target="state")
    for name in ("mean", "scale"):  # of a field that is its own forcing
        getattr(run.model.normaliser, name).copy_(getattr(run.model.normaliser, f"forcing_{name}"))
    wind = np.random.default_rng(0).normal(size=(4, 8))
    found = run.forecast(np.zeros((1, 8)), [0.5, 1.5], forcing={"wind": wind})
    np.testing.assert_allclose(found.u.values[0, 0], wind[[1, 3]], rtol=1e-5, atol=1e-5)
    several = run.forecast(np.zeros((1, 8)), [0.5], forcing={"wind": np.stack([wind, 2 * wind])})
    np.testing.assert_allclose(several.u.values[0, :, 0], [wind[1], 2 * wind[1]], rtol=1e-5, atol=1e-5)
    for wrong, sentence in (
        ({}, r"expected forcing \['wind'\], got \[\]"),
        ({"wind": wind[:2]}, "expected the forcing of 4 frames"),
        ({"wind": wind[0]}, r"of shape \(time, 8\)"),
        ({"wind": wind * np.nan}, "finite values"),
    ):
        with pytest.raises(ValueError, match=sentence):
            run.forecast(np.zeros((1, 8)), [1.5], forcing=wrong)


def test_attributes_of_a_start_are_honoured(line):
    run, u0, _ = line
    marked = named(np.where(u0 > 1, -999.0, u0))
    marked["u"].attrs["_FillValue"] = -999.0
    with pytest.raises(ValueError, match="expected a finite state u0"):
        run.forecast(marked, [0.5])
    metric = Problem(LINE.grid, (Field("u", "m/s"), Field("v", "m/s")), dt=0.5, n_frames=4)
    stated = named(u0).assign(u=lambda data: data.u.assign_attrs(units="km/s"))
    with pytest.raises(ValueError, match=r"expected u0\['u'\] in 'm/s', found 'km/s'"):
        state(stated, metric)
    written = named(u0).map(lambda part: part.assign_attrs(units="m s-1"))
    assert torch.equal(state(written, metric), state(named(u0), metric))
    with pytest.raises(ValueError, match="expected u0 in 'm/s', found 'km/s'"):
        state(named(u0).to_dataarray("channel").assign_attrs(units="km/s"), metric)
    darcy = Problem(DARCY.grid, DARCY.fields, coeffs=(Field("k", "m2"),))
    k = xr.DataArray(np.ones((9, 9)), dims=("x", "y"), attrs={"units": "mm2"})
    with pytest.raises(ValueError, match=r"expected coeffs\['k'\] in 'm2', found 'mm2'"):
        input_field("k", k, darcy)


def test_what_no_memory_holds_is_refused_at_once(line):
    run, u0, _ = line
    with pytest.raises(ValueError, match=r"expected at most 8.6e\+09 values in the forecast"):
        run.forecast(u0, [0.5], members=10**12)
    with pytest.raises(ValueError, match=r"expected at most 8.6e\+09 values in the solution"):
        pdekit.solve("ks", n_trajectories=10**12)
    with pytest.raises(ValueError, match="expected at least one sample and one point in u0"):
        run.forecast(np.ones((0, 2, 16)), [0.5])
