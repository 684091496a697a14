"""Times in the scores: crossings of forecasts whose errors are known, flags, and members that are not there."""

import numpy as np
import pytest

from pdekit.evaluation.archive import Archive
from pdekit.evaluation.judges.horizons import write_horizons

T = np.arange(1, 41) * 0.5


@pytest.fixture
def archive(tmp_path):
    coords = {"model": ["a", "b"], "member": [0, 1], "sample": [0, 1, 2], "time": T, "field": ["u", "v"]}
    with Archive(tmp_path / "scores.nc", coords, {}) as found:
        found.declare("lead_time", ("sample", "time"), {})
        found.write("lead_time", (slice(None),), np.stack([T, T, 2 * T]).astype(np.float32))
        yield found


def score(archive, measure, values, row=0, member=0):
    """Values "sample time", the same mean over two fields that differ."""
    if measure not in archive:
        archive.declare(measure, ("model", "member", "sample", "time", "field"), {})
    archive.write(measure, (row, member), np.stack([0.5 * values, 1.5 * values], -1).astype(np.float32))


def test_crossings_are_of_the_mean_where_defined(archive):
    growing = np.stack([0.1 * T, 0.01 * T, 0.1 * T])
    score(archive, "nrmse", growing)
    score(archive, "correlation", 1 - growing)
    write_horizons(archive)
    np.testing.assert_allclose(archive.read("valid_time")[0, 0], [4.0, 20.0, 8.0], rtol=1e-5)
    assert archive.read("valid_time_censored")[0, 0].tolist() == [0, 1, 0]
    np.testing.assert_allclose(archive.read("correlation_time")[0, 0], [2.0, 20.0, 4.0], rtol=1e-5)
    assert archive.read("stable_steps")[0, 0].tolist() == pytest.approx([2, 20, 2], abs=1)
    assert archive.read("blow_up_time_censored")[0, 0].tolist() == [1, 1, 1]


def test_divergence_and_members_that_are_not_there(archive):
    error = np.full((3, 40), 0.01)
    error[0, 9], error[1, 20:] = np.inf, 11.0
    score(archive, "nrmse", error, row=1, member=1)
    write_horizons(archive)
    assert archive.read("blow_up_time")[1, 1].tolist() == [5.0, 10.5, 40.0]
    assert archive.read("blow_up_time_censored")[1, 1].tolist() == [0, 0, 1]
    assert archive.read("stable_steps")[1, 1].tolist() == [9, 20, 40]
    for name in ("valid_time", "blow_up_time", "stable_steps"):
        assert np.isnan(archive.read(name)[0]).all() and np.isnan(archive.read(name)[1, 0]).all()
    assert (archive.read("valid_time_censored")[0] == -1).all()
    assert "correlation_time" not in archive, "correlation was not scored"


def test_a_single_frame_has_no_times(tmp_path):
    coords = {"model": ["a"], "member": [0], "sample": [0], "time": [1.0], "field": ["u"]}
    with Archive(tmp_path / "scores.nc", coords, {}) as found:
        found.declare("lead_time", ("sample", "time"), {})
        found.declare("nrmse", ("model", "member", "sample", "time", "field"), {})
        write_horizons(found)
        assert "valid_time" not in found
