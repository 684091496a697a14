"""A user's meshes and point clouds become a dataset: sorted, padded, and refused with a sentence if they do not fit."""

import dataclasses

import numpy as np
import pytest
import torch

import pdekit
from pdekit.data import Clouds, DataModule, from_points
from pdekit.models.baselines.mean import Mean
from pdekit.models.baselines.persistence import Persistence

SIZES = (5, 7, 6, 4)


def meshes(sizes=SIZES, frames=3):
    """A triangle in each cloud, and u = (x, 10 y + frame), so that a value says where it belongs."""
    draw = np.random.default_rng(0)
    points = [draw.uniform(size=(n, 2)) for n in sizes]
    u = [np.stack([np.stack([p[:, 0], 10 * p[:, 1] + t]) for t in range(frames)]) for p in points]
    cells = [np.array([[0, 2, 3]]) for _ in sizes]
    coeffs = {"a": [p[:, 0] + 2 for p in points]}
    return Clouds(u, points, cells, coeffs, {"radius": np.arange(len(sizes)) / 4})


def part(clouds, which):
    coeffs = {key: column[which] for key, column in clouds.coeffs.items()}
    params = {key: column[which] for key, column in clouds.params.items()}
    text = None if clouds.text is None else clouds.text[which]
    return Clouds(clouds.u[which], clouds.points[which], clouds.cells[which], coeffs, params, text)


def module(text=None, **options):
    whole = dataclasses.replace(meshes(), text=text)
    splits = (part(whole, slice(0, 2)), part(whole, slice(2, 3)), part(whole, slice(3, 4)))
    return from_points(*splits, dt=0.5, fields=["p", "q"], **options), whole


def test_values_stay_with_their_points():
    data, whole = module()
    batch = data.train.trajectories([0, 1])
    assert data.problem.grid.max_points == 7 and data.problem.params == ("radius",)
    assert batch.point_mask.sum(1).tolist() == [5, 7] and batch.t[1].tolist() == [0.0, 0.5, 1.0]
    for i in range(2):
        real = batch.point_mask[i]
        places = batch.points[i][real]
        assert (places[1:, 0] >= places[:-1, 0]).all(), "sorted along x"
        torch.testing.assert_close(batch.u[i, 2, 0][real], places[:, 0])
        torch.testing.assert_close(batch.u[i, 2, 1][real], 10 * places[:, 1] + 2)
        torch.testing.assert_close(batch.coeffs[i, 0][real], places[:, 0] + 2)
        corners = places[batch.cells[i, 0]].numpy()
        np.testing.assert_allclose(corners, whole.points[i][[0, 2, 3]], rtol=1e-6)
    assert batch.params.tolist() == [[0.0], [0.25]]


def test_memory_and_file_hold_the_same(tmp_path):
    text = ["a wake", "eine Straße", "three", "four"]
    memory, _ = module(text)
    module(text, folder=tmp_path, name="mine")
    stored = DataModule.from_folder(tmp_path)
    assert stored.problem == memory.problem
    for split, source in memory.sources.items():
        one, other = source.read(0), stored.sources[split].read(0)
        for name in ("u", "t", "points", "point_mask", "cells", "coeffs"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name
        assert one.text == other.text
    assert memory.train.trajectories([1]).text == ("eine Straße",)
    parts = [part(dataclasses.replace(meshes(), text=lines), slice(0, 2)) for lines in (text, None)]
    with pytest.raises(ValueError, match="a caption for each of 2 samples of the valid split, got none"):
        from_points(*parts, dt=0.5)


def test_points_may_be_shared_and_validation_is_split_off():
    u = np.random.default_rng(0).normal(size=(11, 3, 1, 8))
    with pytest.warns(UserWarning, match="no test split was given"):
        data = from_points(Clouds(u, np.random.default_rng(1).uniform(size=(8, 3))), dt=1.0)
    assert (data.train.n_trajectories, data.valid.n_trajectories, data.problem.ndim) == (10, 1, 3)
    assert torch.equal(data.train.trajectories([0]).points, data.train.trajectories([9]).points)


def test_forecasts_on_meshes_are_scored(tmp_path):
    module(folder=tmp_path / "reference")
    data, _ = module(folder=tmp_path / "forecast")
    options = {"given": 1, "judges": ("fields",), "measures": ("rmse",), "progress": False}
    found = pdekit.score(tmp_path / "forecast", tmp_path / "reference", **options).scores
    assert float(found.nrmse.sel(model="forecast").max()) < 1e-7
    assert float(found.nrmse.sel(model="persistence", field="q").min()) > 0.01
    assert data.problem.grid.max_points == 7


def changed(**parts):
    whole = meshes()
    return Clouds(
        **{name: parts.get(name, getattr(whole, name)) for name in ("u", "points", "cells", "coeffs", "params")}
    )


@pytest.mark.parametrize(
    "clouds, sentence",
    [
        (changed(u=meshes().u[:3]), r"an entry for each of the 3 trajectories in the train split, found \{'points': 4"),
        (changed(u=[u[..., :-1] for u in meshes().u]), r"found \(3, 2, 4\) and \(5, 2\); correct the axes"),
        (changed(u=[*meshes().u[:3], np.full((3, 2, 4), np.nan)]), "found NaN or Inf; repair"),
        (changed(u=[*meshes().u[:3], meshes().u[3][:2]]), "expected 3 frames of 2 fields"),
        (changed(cells=[np.array([[0, 2, 9]])] * 4), "numbers from 0 to 4 in train trajectory 0"),
        (changed(cells=[None, *meshes().cells[1:]]), "cells of all trajectories or of none"),
        (changed(coeffs={"a": [np.zeros(2)] * 4}), "expected coeffs of 5 points"),
        (
            changed(u=[np.ma.masked_less(u, 0.5) for u in meshes().u]),
            "in u of train trajectory 0, found masked",
        ),
        (changed(params={"radius": np.ma.masked_less(np.arange(4.0), 1)}), r"everywhere in params\['radius'\], found"),
        (changed(cells=[np.zeros((0, 3), int)] * 4), "numbers from 0 to 4 in train trajectory 0"),
        (Clouds([], []), "expected trajectories and their points in the train split, found none"),
        (changed(params={"radius": np.zeros(3)}), "a finite number for each of 4 trajectories"),
        (changed(params={"u0": np.zeros(4)}), r"expected each name once among fields.*\['u0', 'u1', 'a', 'u0'\]"),
    ],
)
def test_what_does_not_fit_is_refused(clouds, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_points(clouds, clouds, clouds, dt=0.5)


@pytest.mark.parametrize("dt", [-0.5, 0.0, float("nan"), float("inf"), None])
def test_a_step_that_is_none_is_refused(dt):
    with pytest.raises(ValueError, match="expected dt > 0 for a problem of 3 frames"):
        from_points(meshes(), meshes(), meshes(), dt=dt)


def test_the_mean_on_points_that_differ_is_one_number_for_each_field():
    """The tenth point of one mesh is another place than that of the next mesh."""
    data, _ = module()
    mean = Mean(data.problem)
    mean.calibrate(data.calibration_batches())
    test = data.test.trajectories([0])
    found = mean.forecast(test.known(1), test.t[:, 1:])[0, 0]
    train = [data.train.trajectories([i]) for i in range(2)]
    values = torch.cat([batch.u[0, :, :, batch.point_mask[0]].movedim(1, 0).flatten(1) for batch in train], 1)
    torch.testing.assert_close(found, values.mean(1)[None, :, None].expand(2, 2, 7), rtol=1e-6, atol=0)
    assert float(mean.loss(test)[0]) > 0


def test_the_mean_on_one_mesh_is_that_of_each_point():
    draw = np.random.default_rng(0)
    places, u = draw.uniform(size=(8, 2)), draw.normal(size=(6, 3, 1, 8))
    data = from_points(*(Clouds(part, places) for part in (u[:4], u[4:5], u[5:])), dt=1.0)
    mean = Mean(data.problem)
    mean.calibrate(data.calibration_batches())
    test = data.test.trajectories([0])
    expected = data.train.trajectories(range(4)).u.mean((0, 1))
    torch.testing.assert_close(mean.forecast(test.known(1), test.t[:, 1:])[0, 0, 1], expected)
    moved = mean.forecast(dataclasses.replace(test.known(1), points=test.points + 0.1), test.t[:, 1:])[0, 0, 1]
    torch.testing.assert_close(moved, expected.mean(1, keepdim=True).expand(1, 8))


def test_padding_changes_no_loss_of_a_baseline():
    pieces = slice(0, 2), slice(2, 3), slice(3, 4)
    small, large = (from_points(*(part(meshes((5, 7, 6, n)), piece) for piece in pieces), dt=0.5) for n in (4, 9))
    for make in (Mean, Persistence):
        losses = []
        for data in (small, large):
            model = make(data.problem)
            model.calibrate(data.calibration_batches())
            losses.append(float(model.loss(data.train.trajectories([0, 1]).frames(slice(0, 2)))[0]))
        assert losses[0] == pytest.approx(losses[1], rel=1e-6) and losses[0] > 0


def test_far_from_the_origin_spacing_and_signal_are_kept():
    """1e7 m from the origin float32 has steps of 1 m; padding with zeros is no signal of a field near 101325."""
    draw = np.random.default_rng(0)
    places = [np.array([5e5, 5.6e6]) + draw.uniform(size=(n, 2)) for n in (5, 7, 6)]
    u = [101325 + 0.05 * draw.standard_normal((2, 1, len(p))) for p in places]
    data = from_points(*(Clouds([v, v], [p, p]) for v, p in zip(u, places, strict=True)), dt=1.0)
    batch = data.train.trajectories([0])
    order = np.argsort(places[0][:, 0])
    np.testing.assert_allclose(batch.points[0, :5], places[0][order], rtol=1e-12)
    np.testing.assert_allclose(batch.u[0, :, :, :5], u[0][:, :, order], rtol=1e-12)


def test_coordinates_are_float32_only_if_no_two_points_come_together():
    fine = 1 + np.stack([1e-7 * np.arange(6), np.zeros(6)], 1)  # a layer between points that are far apart
    for places, kept in ((np.vstack([fine, [[0.0, 0.0], [9.0, 9.0]]]), torch.float64), (fine * 1e7, torch.float32)):
        splits = [Clouds(np.zeros((3, 1, 1, len(places))), [places] * 3)] * 3
        assert from_points(*splits).train.trajectories([0]).points.dtype == kept
