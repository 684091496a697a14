"""One dataset on several grids: batches of one grid each, training, evaluation of each grid, and what is refused."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr

import pdekit
from pdekit.calculus.resample import bring
from pdekit.data import DataModule, from_arrays
from pdekit.data.arrays import Arrays
from pdekit.data.conversion import convert
from pdekit.data.description import Description
from pdekit.data.domain import load_domain
from pdekit.data.exports import TARGETS, export
from pdekit.data.forecasts import opened_file
from pdekit.data.formats import recognised
from pdekit.data.formats.contract import Joined
from pdekit.data.inspection import inspect_path
from pdekit.data.loader import EpochSampler
from pdekit.data.loading import Loading
from pdekit.data.resolutions import together
from pdekit.data.scored import read_training
from pdekit.data.windows import trajectories_on
from pdekit.evaluation.checks import check_problem
from pdekit.fields import Field, Grid, Problem
from pdekit.models.baselines.mean import Mean
from pdekit.models.one_step import OneStep
from pdekit.models.operator import Operator
from pdekit.models.operator import _unit_axes as axes
from pdekit.models.resolution import check_grids
from pdekit.nets.deeponet import DeepONet, PODDeepONet
from pdekit.nets.fno import FNO
from pdekit.nets.unet import UNet
from pdekit.same_box import same_box
from pdekit.workflows.studio_run import studio_of
from tests.data.formats.published_pdebench import tensor

SHORT = [
    "training.steps=60", "training.checkpoint_every=60", "training.validate_every=30", "training.lr=0.01",
    "evaluation.progress=false", "evaluation.timing_batches=[1]", "evaluation.measures=[vrmse]",
    "evaluation.judges=[horizons]",
]  # fmt: skip


def wave(n, samples, seed=0):
    """sin(2 pi (x - t) + phase) on n points: the same function on every grid."""
    x, t = np.arange(n) / n, 0.1 * np.arange(6)[None, :, None, None]
    phase = np.random.default_rng(seed).uniform(0, 6, (samples, 1, 1, 1))
    return np.sin(2 * np.pi * (x - t) + phase)


def data(**options):
    splits = [[wave(16, n, 1), wave(8, n + 1, 2)] for n in (9, 2, 2)]
    return from_arrays(*splits, **{"dt": 0.1, "extent": (1.0,), "fields": ["height"], **options})


def one_step(problem, net=None):
    torch.manual_seed(0)
    return OneStep(problem, net or partial(FNO, modes=3, width=8, n_layers=2), target="state")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    several = data(loading=Loading(batch_size=8), folder=tmp_path_factory.mktemp("data"))
    place = f"runs_dir={tmp_path_factory.mktemp('runs')}"
    return pdekit.train(model=one_step(several.problem), data=several, overrides=[*SHORT, place], name="two")


def test_each_batch_lies_on_one_grid_and_no_window_is_left_out():
    groups = [0] * 7 + [1] * 4
    for world in (1, 2):
        seen = []
        for rank in range(world):
            order = EpochSampler(range(11), 3, True, rank, world, groups, batch_size=2).order()
            batches = torch.tensor(order).reshape(-1, 2)
            assert all(len({groups[i] for i in batch}) == 1 for batch in batches.tolist())
            assert len(batches) == (6 if world == 1 else 3)
            seen += order
        assert set(seen) == set(range(11))
    first, again, other = (
        EpochSampler(range(11), seed, True, groups=groups, batch_size=2).order() for seed in (3, 3, 4)
    )
    assert first == again != other
    assert EpochSampler(range(11), 3, False, groups=groups, batch_size=4).order()[:8] == [0, 1, 2, 3, 4, 5, 6, 0]


def test_memory_and_folder_hold_the_same(tmp_path):
    memory = data(loading=Loading(batch_size=4))
    data(folder=tmp_path, name="mine")
    stored = DataModule.from_folder(tmp_path)
    assert [grid.shape for grid in memory.grids] == [grid.shape for grid in stored.grids] == [(16,), (8,)]
    assert memory.problem == stored.problem and memory.train.n_trajectories == 19
    files = sorted(path.name for path in (tmp_path / "data/train").iterdir())
    assert files == ["mine-16.hdf5", "mine-8.hdf5"]
    shapes = [batch.u.shape for batch in memory.train_dataloader()]
    assert {shape[-1] for shape in shapes} == {8, 16} and {shape[0] for shape in shapes} == {4}
    by_size = {batch.u.shape[-1]: batch.u for batch in stored.calibration_batches()}
    np.testing.assert_allclose(by_size[8][0, :, 0], wave(8, 10, 2)[9, :, 0], atol=1e-6)
    assert stored.on(memory.grids[1]).test.trajectories([1]).u.shape == (1, 6, 1, 8)


def test_inputs_are_lists_too():
    fine, coarse = (xr.DataArray(wave(n, 4)[:, 0, 0], dims=("sample", "x")) for n in (16, 8))
    u = [wave(16, 4)[:, :1], wave(8, 4)[:, :1]]
    inputs = {split: [{"a": fine}, {"a": coarse}] for split in ("train", "valid", "test")}
    found = from_arrays(u, u, u, extent=(1.0,), coeffs=inputs)
    assert found.train.trajectories([5]).coeffs.shape == (1, 1, 8) and found.problem.coeffs[0].name == "a"
    with pytest.raises(ValueError, match="an entry for each of the 2 arrays of the train split, found dict"):
        from_arrays(u, u, u, extent=(1.0,), coeffs={split: {"a": fine} for split in ("train", "valid", "test")})


def test_captions_are_lists_of_each_grid(tmp_path):
    splits = [[wave(16, n, 1), wave(8, n + 1, 2)] for n in (2, 1, 1)]
    text = {
        split: [[f"{split} on {points}, {i}" for i in range(len(u))] for points, u in zip((16, 8), part, strict=True)]
        for split, part in zip(("train", "valid", "test"), splits, strict=True)
    }
    about = {"dt": 0.1, "extent": (1.0,)}
    from_arrays(*splits, **about, text=text, folder=tmp_path)
    found = DataModule.from_folder(tmp_path)
    captions = {found.test.trajectories([i]).text for i in range(3)}
    assert captions == {("test on 16, 0",), ("test on 8, 0",), ("test on 8, 1",)} and found.problem.has_text
    written = from_arrays(*splits, **about, text=lambda problem, params, u: f"{problem.grid.shape[0]} points")
    assert written.train.trajectories([4]).text == ("8 points",)
    with pytest.raises(ValueError, match="an entry for each of the 2 arrays of the train split, found none"):
        from_arrays(*splits, **about, text={"valid": text["valid"]})
    with pytest.raises(ValueError, match="a caption for each of 3 samples of the train split, got 2"):
        from_arrays(*splits, **about, text={split: [lines[0], lines[0]] for split, lines in text.items()})


@pytest.mark.slow
def test_a_net_learns_on_both_grids_and_each_is_evaluated(run):
    for folder, shape in ((run.path, "16"), (run.path / "grid-8", "8")):
        with xr.open_dataset(folder / "scores.nc", engine="h5netcdf") as scores:
            error = scores.nrmse.isel(time=0, member=0).mean("sample").squeeze()
            assert scores.attrs["shape"] == shape
            assert float(error.sel(model="one_step")) < 0.5 * float(error.sel(model="persistence"))
    assert (run.path / "grid-8" / "report.html").is_file()
    assert pdekit.load(run.path).model.problem.grid.shape == (16,)


def test_a_check_of_the_run_starts_on_its_grid(run, tmp_path):
    asked = {"rows": ["rest.step", "domain.start"], "horizon": 2, "n_states": 2, "folder": tmp_path}
    found = pdekit.check(run.path, data=data(), **asked)
    assert [one.verdict.share[1] == one.verdict.share[1] for one in found.findings] == [True, True]


def test_a_page_looks_at_the_grid_of_the_run(run):
    scene = studio_of(run.path).forecast(1, 0, lambda share, line: None)
    assert scene["shape"] == [16] and studio_of(run.path).about()["samples"] == 2
    assert sorted(load_domain(run.path).ranges) == ["deviation of height", "mean of height"]


def test_arrays_of_one_grid_keep_their_files_and_others_are_in_the_way(tmp_path):
    part = [wave(16, 2), wave(16, 3, 1), wave(8, 2, 2)]
    stored = from_arrays(part, part, part, dt=0.1, extent=(1.0,), folder=tmp_path)
    assert stored.train.n_trajectories == 7
    assert {path.name for path in (tmp_path / "data/test").iterdir()} == {
        "arrays-16.hdf5", "arrays-16-2.hdf5", "arrays-8.hdf5",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"expected no other data in .*train, found arrays-16-2\.hdf5"):
        from_arrays(part[0], part[0], part[0], dt=0.1, extent=(1.0,), folder=tmp_path)


def test_what_needs_one_grid_says_so(tmp_path):
    data(folder=tmp_path, name="mine")
    assert "  other grids   8 points\n" in str(inspect_path(tmp_path))
    with pytest.raises(ValueError, match="expected data on one grid to export, found the grids 8, 16; give the files"):
        export(tmp_path, tmp_path / "out", TARGETS["netcdf"])
    with pytest.raises(ValueError, match="expected data on one grid to score, found the grids 8, 16"):
        opened_file(tmp_path)
    assert opened_file(tmp_path / "data/test/mine-8.hdf5").problem.grid.shape == (8,)


def test_files_of_a_split_have_one_order(tmp_path):
    """Forecasts were made in the order of the module; a reference that is opened for a score has the same."""
    for number in (2, 10):
        part = np.full((2, 3, 1, 4), float(number))
        from_arrays(part, part, part, dt=0.1, extent=(1.0,), folder=tmp_path / str(number), name=f"part_{number}")
        for split in ("train", "valid", "test"):
            (tmp_path / "all/data" / split).mkdir(parents=True, exist_ok=True)
            (tmp_path / str(number) / "data" / split / f"part_{number}.hdf5").rename(
                tmp_path / "all/data" / split / f"part_{number}.hdf5"
            )
    for source in (DataModule.from_folder(tmp_path / "all").sources["test"], opened_file(tmp_path / "all")):
        assert [float(source.read(i).u.max()) for i in range(4)] == [2, 2, 10, 10]


@pytest.mark.parametrize(
    "make, sentence",
    [
        (partial(one_step, net=partial(UNet, width=4, multipliers=(1,) * 5)), "the grids 16, 8 of the data, got mine"),
        (Mean, "expected a method whose net takes any grid, got Mean"),
    ],
)
def test_what_takes_one_grid_only_says_so(make, sentence):
    several = data()
    with pytest.raises(ValueError, match=sentence):
        check_grids("mine", make(several.problem), several.grids)


def test_operator_nets_take_every_grid_but_those_with_a_basis_of_the_data():
    several = data()
    model = Operator(several.problem, partial(DeepONet))
    check_grids("deeponet", model, several.grids)
    model.calibrate(several.calibration_batches())
    losses = [float(model.loss(several.train.trajectories([i]))[0]) for i in (0, 12)]
    assert all(np.isfinite(losses))
    with pytest.raises(ValueError, match="expected training data on one grid for PODDeepONet"):
        Operator(several.problem, partial(PODDeepONet)).calibrate(several.calibration_batches())


def test_other_boxes_are_refused():
    coarse = xr.DataArray(wave(8, 4)[:, :, 0], dims=("sample", "time", "x"), coords={"x": np.arange(8) / 4})
    with pytest.raises(ValueError, match="expected data of one problem on grids of one box"):
        from_arrays([coarse, coarse[..., ::2].assign_coords(x=np.arange(4) / 8)], dt=0.1, layout=["periodic"])


def test_a_list_with_rows_of_two_lengths_is_refused():
    with pytest.raises(ValueError, match="rows differ in length"):
        from_arrays([[[[1.0, 2.0]], [[3.0]]]], dt=0.1, extent=(1.0,))


def test_boxes_that_differ_by_rounding_are_one_box(tmp_path):
    """The lengths 0.3 and 0.1 + 0.2, and an end that float32 rounds: lists, files and a model meet on one grid."""
    lengths = (0.1 + 0.2, 0.3)
    parts = [from_arrays(*[wave(16 // n, 2, 1)] * 3, dt=0.1, extent=(lengths[n - 1],)) for n in (1, 2)]
    joined = together([part.sources["train"] for part in parts])
    assert [grid.shape for grid in joined.grids] == [(16,), (8,)] and joined.grid_numbers == [0, 0, 1, 1]
    assert joined.on(joined.grids[1]).read(1).u.shape == (1, 6, 1, 8)
    assert joined.on(dataclasses.replace(joined.grids[1], extent=(0.3,))).read(1).u.shape == (1, 6, 1, 8)
    same = [from_arrays(*[wave(16, 2, 1)] * 3, dt=0.1, extent=(length,)).sources["train"] for length in lengths]
    assert together(same).n_trajectories == 4
    check_problem("net", same[0].problem, same[1].problem)
    assert len(DataModule(same[0], same[1], same[1]).grids) == 1
    far = from_arrays(*[wave(16, 2, 1)] * 3, dt=0.1, extent=(0.3002,)).sources["train"]
    with pytest.raises(ValueError, match="one problem"):
        together([same[0], far])


@pytest.mark.parametrize("to", ["pdebench", "netcdf"])
def test_files_of_two_precisions_are_exported_in_the_wider_one(tmp_path, to):
    coarse = from_arrays(*[wave(8, 2, 1).astype("f4")] * 3, dt=0.1, extent=(1.0,)).sources["train"]
    batch = coarse.read(0)
    fine = Arrays(coarse.problem, dataclasses.replace(batch, u=batch.u.double() + 1e-9))
    whole, path = Joined([coarse, fine]), tmp_path / f"all{TARGETS[to].suffix}"
    TARGETS[to].write(whole, path, lambda done: None)
    found = recognised(path).open(path)["all"] if to == "pdebench" else opened_file(path)
    assert torch.equal(found.read(2).u, fine.read(0).u) and torch.equal(found.read(0).u, batch.u.double())


def centred(n, lower=0.0):
    """A periodic axis of length 2 whose points lie at the centres of n cells."""
    return Grid((n,), (2.0,), (lower + 1 / n,))


@pytest.mark.parametrize("lower", [0.0, -1.0, -3.0])
def test_points_at_the_centres_of_periodic_cells_stay_there_on_another_grid(lower):
    fine, coarse = centred(16, lower), centred(8, lower)
    assert fine.resized((8,)) == coarse and coarse.resized((16,)) == fine and same_box(fine, coarse)
    corners = Grid((16,), (2.0,), (lower,))
    assert corners.resized((8,)).origin == (lower,) and not same_box(corners, coarse)
    for u, grid, other in ((fine, fine, coarse), (coarse, coarse, fine)):
        wave, expected = (torch.sin(3 * torch.pi * one.coordinates(0) + 0.3)[None, None] for one in (u, other))
        torch.testing.assert_close(bring(wave, grid, other.shape), expected, rtol=0, atol=1e-13)


def test_files_of_pdebench_on_two_sizes_are_one_dataset(tmp_path):
    """The published one-dimensional files store the centres of periodic cells."""
    for n in (16, 8):
        tensor(tmp_path / f"1D_Advection_Sols_beta0.4_{n}.hdf5", points=n, beta=0.4)
    source = recognised(tmp_path).open(tmp_path)["train"]
    assert [grid.coordinates(0)[0].item() for grid in source.grids] == [-1 + 1 / 8, -1 + 1 / 16]
    assert source.on(source.grids[0]).problem.grid.shape == (8,)


def test_an_operator_asks_at_the_points_of_the_grid():
    """The sensors of 16 points see the same wave from 8; the queries of 8 lie between those of 16."""
    model = Operator(Problem(centred(16), (Field("u"),), 0.1, 3), partial(DeepONet))
    fine, coarse = (torch.sin(3 * torch.pi * centred(n).coordinates(0))[None, None] for n in (16, 8))
    torch.testing.assert_close(model.to_sensors(coarse), fine, rtol=0, atol=1e-13)
    first = [axes(centred(n), centred(16))[0][0].item() for n in (16, 8)]
    assert first == pytest.approx([0.0, 1 / 32])


def test_a_store_on_several_grids_is_converted(tmp_path):
    several = data(folder=tmp_path / "mine")
    seen = []
    convert(tmp_path / "mine", tmp_path / "out", "again", progress=lambda *step: seen.append(step))
    assert sorted(file.name for file in (tmp_path / "out/data/test").iterdir()) == ["again_16.hdf5", "again_8.hdf5"]
    assert [step[1:] for step in seen if step[0] == "train"] == [(i + 1, 19) for i in range(19)]
    found = DataModule.from_folder(tmp_path / "out")
    assert {grid.shape for grid in found.grids} == {(16,), (8,)} and found.problem == several.problem
    for grid in found.grids:
        one, other = (trajectories_on(module.sources["test"], grid) for module in (found, several))
        assert one.n_trajectories == other.n_trajectories
        assert all(torch.equal(one.read(i).u, other.read(i).u) for i in range(one.n_trajectories))
    convert(tmp_path / "mine", tmp_path / "out", "again")  # the second time all are kept
    with pytest.raises(ValueError, match="expected no other dataset"):
        convert(data(folder=tmp_path / "other", fields=["depth"]) and tmp_path / "other", tmp_path / "out", "again")


def test_a_time_step_stored_in_float32_is_the_same_step():
    """Splits, grids, a model and a prior of one problem; a step that is longer by 1e-4 is another one."""

    def stepped(dt, n=16):
        splits = [torch.tensor(wave(n, 2)).float()] * 3
        source = from_arrays(*splits, dt=0.1, extent=(1.0,), fields=["height"]).sources["train"]
        return Arrays(dataclasses.replace(source.problem, dt=dt), source.read(0))

    rounded, exact = stepped(float(np.float32(0.1))), stepped(0.1)
    assert rounded.problem.dt != 0.1
    DataModule(exact, rounded, exact)
    assert together([exact, stepped(float(np.float32(0.1)), 8)]).problem.dt == 0.1
    check_problem("fno", rounded.problem, exact.problem)
    assert read_training(rounded, exact.problem, None, Description()).problem == rounded.problem
    with pytest.raises(ValueError, match=r"expected the dt 0\.1 of train in the valid split, found 0\.10001"):
        DataModule(exact, stepped(0.10001), exact)
