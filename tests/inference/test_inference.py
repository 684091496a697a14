"""Inference end to end on a Gaussian joint whose denoiser is exact: every method, calibration, files, refusals."""

import json
import math

import numpy as np
import pytest
import torch
import xarray as xr

import pdekit
from pdekit.data.arrays import Arrays
from pdekit.data.module import DataModule
from pdekit.fields import Field, Grid, Trajectory
from pdekit.infer import main
from pdekit.inference.diagnostics import errors_by_level
from pdekit.inference.posteriors import scaled_residual, training_joint
from pdekit.inference.scores import scores_of
from pdekit.inference.settings import METHODS, Inference
from pdekit.models.baselines.mean import Mean
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.inputs import normalised
from pdekit.pdes import Poisson
from pdekit.runs import Run
from tests.models.small import FunctionNet, PointwiseNet, make_batch, make_problem

N = 32
WAVES = torch.fft.fftfreq(N, 1 / N).double()
SPECTRUM = (1 + (WAVES / 3) ** 2) ** -2.0
GAIN = 1 / (1 + (WAVES / 3) ** 2)  # u = smoothed c, plus a little of its own


def pairs(n, seed):
    """(c, u) "n 1 point" in physical units, and the covariance of (c, u) in modes "2 2 mode"."""
    generator = torch.Generator().manual_seed(seed)
    e = torch.randn(2, n, 1, N, dtype=torch.float64, generator=generator)
    c_hat = SPECTRUM.sqrt() * torch.fft.fft(e[0])
    u_hat = GAIN * c_hat + 0.1 * SPECTRUM.sqrt() * torch.fft.fft(e[1])
    return 3 + torch.fft.ifft(c_hat).real, 10 + 4 * torch.fft.ifft(u_hat).real


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """(run, data): the exact denoiser of the normalised joint as a net."""
    problem = make_problem(
        grid=Grid((N,), (2.0,)), n_frames=1, dt=None, coeffs=(Field("c", "m"),), fields=(Field("u", "K"),)
    )
    sources = []
    for n, seed in ((400, 0), (2, 1), (12, 2)):
        c, u = pairs(n, seed)
        sources.append(Arrays(problem, Trajectory(u=u[:, None], t=torch.zeros(n, 1), coeffs=c, index=torch.arange(n))))
    data = DataModule(*sources)
    model = DiffusionPDE(problem, PointwiseNet).double()
    model.calibrate(data.calibration_batches())
    scale = model.scale.flatten()
    mixed = torch.stack((SPECTRUM, GAIN * SPECTRUM, GAIN * SPECTRUM, (GAIN**2 + 0.01) * SPECTRUM)).reshape(2, 2, N)
    factor = torch.tensor([1.0, 4.0]).double() / scale
    covariance = (mixed * factor[:, None, None] * factor[None, :, None]).movedim(-1, 0)

    def net(u, condition):
        k = model.levels.k_min * math.exp(float(condition[0, 0]) * math.log(model.levels.k_max / model.levels.k_min))
        signal, sigma = 1 / (1 + k), k / (1 + k)
        filtered = covariance @ torch.linalg.inv(covariance + k**2 * torch.eye(2).double())
        modes = torch.einsum("xij,bjx->bix", filtered.to(torch.complex128), torch.fft.fft(u[:, :2] / signal))
        clean = torch.fft.ifft(modes).real
        return (u[:, :2] - signal * clean) / sigma - clean

    model.net = FunctionNet(net)
    return Run(tmp_path_factory.mktemp("run"), "diffusion_pde", model, {}), data


@pytest.fixture(scope="module")
def inferred(case, tmp_path_factory):
    """The inverse problem from 12 % of u, by three methods."""
    run, data = case
    return pdekit.infer(
        run, data, str(tmp_path_factory.mktemp("found")), observe="solution", share=0.12, noise=0.05,
        method="mmps+kriging+dds", members=40, n_samples=12, levels=24,
    )  # fmt: skip


def test_the_posterior_is_as_good_as_kriging_with_the_exact_prior(inferred):
    """The data are Gaussian: kriging is the closed form, up to its 600 samples."""
    scores = inferred.scores.sel(channel="c").mean("sample")
    error = {str(m): float(scores.error_unobserved.sel(model=m)) for m in scores.model.values}
    assert error["mmps"] < 1.05 * error["kriging"] < 0.8 * error["dds"], error
    assert float(inferred.scores.sel(model="mmps", channel="u").error_observed.mean()) < 0.06 * 4


def test_the_posterior_is_calibrated(inferred):
    scores = inferred.scores.sel(model="mmps").mean("sample")
    assert 0.4 < float(scores.coverage_50.min()) < float(scores.coverage_50.max()) < 0.6
    assert 0.82 < float(scores.coverage_90.min()) < float(scores.coverage_90.max()) < 0.97
    assert float((scores.spread / scores.error_unobserved).min()) > 0.8
    ranks = json.loads((inferred.folder / "summary.json").read_text())["methods"]["mmps"]["rank_histogram"]
    assert len(ranks) == 41 and abs(sum(ranks) - 1) < 1e-12 and max(ranks) < 0.1


def test_the_folder_has_samples_scores_and_pictures(inferred):
    names = {path.name for path in inferred.folder.iterdir()}
    assert names == {"scores.nc", "table.md", "summary.json"} | {
        f"posterior_{method}.{kind}" for method in ("mmps", "kriging", "dds") for kind in ("nc", "png")
    }
    with xr.open_dataset(inferred.folder / "posterior_mmps.nc", engine="h5netcdf") as found:
        assert found.c.dims == ("member", "sample", "x") and found.c.units == "m" and found.u.units == "K"
        assert found["u observed"].notnull().sum() == 12 * 4 and found["c observed"].isnull().all()
        np.testing.assert_allclose(found["c mean"], found.c.mean("member"), rtol=1e-5)
    assert inferred.table.count("\n") == 7 and "| mmps | c |" in inferred.table


def test_the_error_at_each_level_is_that_of_the_linear_denoiser(inferred):
    """Of Gaussian data, and of an exact net; the linear one has the covariance of 400 samples."""
    found = json.loads((inferred.folder / "summary.json").read_text())["errors_by_level"]
    net, linear = np.array(found["net"]), np.array(found["linear"])
    assert len(found["level"]) == 16 and (np.diff(net) < 0).all()
    assert (net < 1.05 * linear).all() and (linear < 1.3 * net).all(), (net, linear)


def test_sensors_of_a_file_lie_between_points(case, tmp_path):
    """Both fields at one place of their own: the posterior is narrow there, and wide far away."""
    run, data = case
    (tmp_path / "seen.csv").write_text("x, c, u\n0.53, 4.5,\n0.53, , 12\n1.9, 2.0, 9\n")
    found = pdekit.infer(run, data, str(tmp_path), file=str(tmp_path / "seen.csv"), noise=0.02, members=40, levels=30)
    posterior = found.posteriors["mmps"]
    middle = posterior["c mean"].isel(sample=0).interp(x=0.53)
    assert abs(float(middle) - 4.5) < 0.1 and found.scores is None and "c truth" not in posterior
    assert float(posterior["c spread"].isel(sample=0).interp(x=0.53)) < 0.4 * float(posterior["c spread"].max())
    options = {"file": str(tmp_path / "seen.csv"), "members": 2, "levels": 2}
    with pytest.raises(ValueError, match="found some with another noise; give another folder"):
        pdekit.infer(run, None, str(tmp_path), **options)
    assert "mmps" in pdekit.infer(run, None, **options).posteriors  # whose data nothing reads
    again = pdekit.infer(run, None, **options | {"seed": 1})
    assert again.folder == run.path / "inference-2" and not list(run.path.glob(".*"))
    with pytest.raises(ValueError, match="arrays in memory needs data="):
        pdekit.infer(run, None, str(tmp_path), method="kriging", **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c\n1\n", "expected columns"),
        ("x, k\n0.5, 1\n", "expected columns"),
        ("x, c\n0.5, \n", "expected at least one observed value"),
        ("x, c, c\n0.5, 1, 2\n", "expected columns"),
        ("x, c\n0,5, 1\n", "expected 2 cells in row 2 .* with a point"),
        ("\ufeffx, c\n0.5, \n", "expected at least one observed value"),
        ("x, c\n0.5, one\n", "expected a finite number, found 'one' in row 2"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(case, tmp_path, text, message):
    run, data = case
    (tmp_path / "seen.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        pdekit.infer(run, data, str(tmp_path), file=str(tmp_path / "seen.csv"))


def test_settings_that_do_not_fit_are_refused(case, tmp_path):
    run, data = case
    for options, message in (
        ({"observe": "pressure"}, "expected observe="),
        ({"method": "em"}, "expected methods among"),
        ({"share": 0}, "expected 0 < share <= 1"),
        ({"noise": 0.0}, "expected noise > 0"),
        ({"members": 1}, "expected members >= 2"),
        ({"shares": 1}, "did you mean 'share'"),
        ({"members": "many"}, "expected members as a whole number, got 'many'"),
        ({"members": 8.5}, r"expected members as a whole number, got 8\.5"),
        ({"equation": math.nan}, "expected equation as a finite number, got nan"),
        ({"equation": -1.0}, "equation >= 0"),
        ({"equation": 1.0}, "expected a steady equation"),
        ({"file": "nowhere.csv"}, "expected a CSV file of observations"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            pdekit.infer(run, data, str(tmp_path), **options)
    with pytest.raises(ValueError, match="expected a run of model=diffusion_pde"):
        pdekit.infer(Run(tmp_path, "mean", Mean(run.problem), {}), data)
    with pytest.raises(ValueError, match="expected fields that exist everywhere"):
        masked = DiffusionPDE(make_problem(has_mask=True), PointwiseNet)
        pdekit.infer(Run(tmp_path, "diffusion_pde", masked, {}), data)


def test_the_command_line_names_what_it_takes(capsys):
    main(["--help"])
    out = capsys.readouterr().out
    assert all(name in out for name in METHODS)
    with pytest.raises(SystemExit, match="expected run=RUN"):
        main(["share=0.1"])
    with pytest.raises(SystemExit, match=r"expected weights\.safetensors in 2026"):
        main(["run=2026"])
    assert Inference(method="mmps+kriging").methods == ("mmps", "kriging")


@pytest.mark.slow
def test_all_methods_see_the_observations(case, tmp_path):
    """At the observed points, every method but DPS comes nearer than the prior; two levels of samples."""
    run, data = case
    inner = normalised(data.test.trajectories([0, 1]), run.model.normaliser)
    assert inner.u.shape == (2, 1, 1, N)
    found = pdekit.infer(
        run, data, str(tmp_path), observe="c+u", share=0.2, method="+".join(METHODS[:6]), members=20, n_samples=2,
        levels=30,
    )  # fmt: skip
    error = found.scores.error_observed.sel(channel="u").mean("sample") / 4
    assert float(error.max()) < 0.5 and float(error.sel(model="mmps")) < 0.05


def test_the_amortised_net_returns_what_it_was_given(case, tmp_path):
    """Known values are exact; the stub has no use for them elsewhere."""
    run, data = case
    found = pdekit.infer(
        run, data, str(tmp_path), observe="c", share=1.0, method="amortised", members=2, n_samples=2, levels=3
    )
    posterior = found.posteriors["amortised"]
    np.testing.assert_allclose(posterior.c, posterior["c observed"].expand_dims(member=2), rtol=1e-6)
    assert "| - | - |" in found.table
    text = (tmp_path / "summary.json").read_text()
    assert "amortised" in json.loads(text, parse_constant=pytest.fail)["methods"], "JSON has no NaN"


def test_frames_of_a_problem_in_time_are_inferred(tmp_path):
    """Two fields, params and forcing, from the first frame of one field."""
    problem = make_problem(params=("p",), forcing=(Field("f"),), coeffs=(Field("c"),))
    data = DataModule(*(Arrays(problem, make_batch(problem, n=4, seed=seed)) for seed in range(3)))
    model = DiffusionPDE(problem, PointwiseNet, n_frames=3)
    model.calibrate(data.calibration_batches())
    run = Run(tmp_path, "diffusion_pde", model, {})
    found = pdekit.infer(run, data, observe="a[0]", share=0.5, method="mmps+kriging", members=3, n_samples=2, levels=4)
    assert len(training_joint(model, data.calibration_batches())) == 4 * 2  # kriging sees six frames as two joints
    posterior = found.posteriors["mmps"]
    assert posterior["b[2]"].dims == ("member", "sample", "x") and posterior["b[2]"].notnull().all()
    assert posterior["a[0] observed"].notnull().sum() == 2 * 4 and posterior["a[1] observed"].isnull().all()
    assert found.scores.channel.values.tolist() == ["c", *(f"{name}[{n}]" for n in range(3) for name in "ab")]
    with pytest.raises(ValueError, match="expected a problem without params"):
        pdekit.infer(run, data, file="observations.csv")


def test_coverage_of_few_members_is_what_the_documentation_says():
    """p (M - 1) / (M + 1), of members and truth that are drawn alike."""
    problem = make_problem(grid=Grid((4000,), (1.0,)), n_frames=1, dt=None)
    drawn = torch.rand(9, 1, 1, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = scores_of(drawn[:8], drawn[8], torch.zeros(1, 1, 4000), problem, {"a": [0]})["a"]
    assert float(found["coverage_90"]) == pytest.approx(0.9 * 7 / 9, abs=0.02)
    assert float(found["coverage_50"]) == pytest.approx(0.5 * 7 / 9, abs=0.02)


def test_the_linear_denoiser_is_the_exact_one_of_many_samples(case):
    """Of 4000 training samples of Gaussian data its error is that of the exact denoiser, to 3 % at each level."""
    run, _ = case
    c, u = pairs(4000, 3)
    batch = Trajectory(u=u[:, None], t=torch.zeros(4000, 1), coeffs=c, index=torch.arange(4000))
    training = run.model.joint(normalised(batch, run.model.normaliser))
    c, u = pairs(200, 4)
    some = Trajectory(u=u[:, None], t=torch.zeros(200, 1), coeffs=c, index=torch.arange(200))
    found = errors_by_level(run.model, some, training, torch.Generator().manual_seed(0))
    ratio = np.array(found["linear"]) / np.array(found["net"])
    assert (abs(ratio - 1) < 0.03).all(), ratio


def test_the_residual_is_scaled_to_its_training_samples():
    """With a weight of 2, the root mean square over the training samples is one half."""
    problem = make_problem(
        grid=Grid((8, 8), (1.0, 1.0), layout=("nodes", "nodes")), n_frames=1, dt=None, pde=Poisson(),
        coeffs=(Field("source"),), fields=Poisson.fields, boundary=[("dirichlet", "dirichlet")] * 2,
    )  # fmt: skip
    model = DiffusionPDE(problem, PointwiseNet).double()
    batch = make_batch(problem, n=4)
    model.calibrate([batch])
    training = model.joint(normalised(batch, model.normaliser))
    found = scaled_residual(model, training, 2.0)(training)
    assert float(found.square().mean().sqrt()) == pytest.approx(0.5)
