"""Complex fields of a user become two real channels each; xarray variables state that they are forcing."""

import numpy as np
import torch
import xarray

from pdekit.data import from_arrays
from pdekit.fields import Field


def waves(seed=0, channels=1):
    return np.random.default_rng(seed).normal(size=(10, 4, channels, 16))


def test_complex_fields_become_two_real_ones():
    psi = waves(channels=2) + 1j * waves(1, channels=2)
    data = from_arrays(psi, test=psi[:2], dt=0.5, extent=(2.0,), fields=["psi", Field("phi", "m")])
    names = [(item.name, item.unit, item.complex) for item in data.problem.fields]
    assert names == [
        *(("psi_real", "1", "psi"), ("psi_imag", "1", "psi")),
        *(("phi_real", "m", "phi"), ("phi_imag", "m", "phi")),
    ]
    u = data.train.trajectories([3]).u[0]
    np.testing.assert_allclose(u[:, 0] + 1j * u[:, 1], psi[3, :, 0], rtol=1e-6)
    np.testing.assert_allclose(u[:, 2] + 1j * u[:, 3], psi[3, :, 1], rtol=1e-6)
    unnamed = from_arrays(torch.from_numpy(psi), test=psi[:2], dt=0.5, extent=(2.0,))
    assert [item.complex for item in unnamed.problem.fields] == ["u0", "u0", "u1", "u1"]


def test_complex_variables_and_stated_forcing_of_xarray():
    dims, psi = ("sample", "time", "x"), waves()[:, :, 0] + 1j
    pump = xarray.DataArray(waves(1)[:, :, 0], dims=dims, attrs={"role": "forcing"})
    coords = {"x": np.arange(16) / 16, "time": 0.1 * np.arange(4)}
    dataset = xarray.Dataset({"psi": (dims, psi, {"units": "m"}), "pump": pump}, coords)
    data = from_arrays(dataset, test=dataset)
    assert [(item.name, item.unit) for item in data.problem.fields] == [("psi_real", "m"), ("psi_imag", "m")]
    assert [item.name for item in data.problem.forcing] == ["pump"]
    batch = data.train.trajectories([2])
    np.testing.assert_allclose(batch.u[0, :, 1], 1.0)
    np.testing.assert_allclose(batch.forcing[0, :, 0], pump[2], rtol=1e-6)
    alone = from_arrays(dataset.psi, test=dataset.psi)
    assert [item.complex for item in alone.problem.fields] == ["psi", "psi"]


def test_complex_archives(tmp_path):
    psi = waves()[:, :, 0] + 1j
    np.savez(tmp_path / "both.npz", psi=psi, height=psi.imag)
    data = from_arrays(tmp_path / "both.npz", test=tmp_path / "both.npz", dt=0.5, extent=(2.0,), layout=["periodic"])
    assert [item.name for item in data.problem.fields] == ["psi_real", "psi_imag", "height"]
