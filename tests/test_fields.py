"""What the vocabulary refuses."""

import math

import pytest

from pdekit.fields import Field, Grid, Problem


@pytest.mark.parametrize("name", ["dT/dx", "time", "", "  ", "x", "sample", "member"])
@pytest.mark.parametrize("place", ["fields", "coeffs", "forcing"])
def test_a_name_that_cannot_be_stored_is_refused(name, place):
    known = {"fields": (Field("u"),)} | {place: (Field(name),)}
    with pytest.raises(ValueError, match="expected a name of a field"):
        Problem(Grid((8,), (1.0,)), dt=0.5, n_frames=2, **known)


def test_an_axis_that_a_grid_does_not_have_is_a_name_like_others():
    assert Problem(Grid((8,), (1.0,)), (Field("y"), Field("dT_dx"), Field("µ")), dt=0.5, n_frames=2).n_channels == 3
    assert Problem(Grid((), ()), (Field("x"),), dt=0.5, n_frames=2).ndim == 0


@pytest.mark.parametrize("length", [0.0, -1.0, math.inf, math.nan])
def test_a_box_has_positive_finite_lengths(length):
    with pytest.raises(ValueError, match="expected positive, finite lengths"):
        Grid((8,), (length,))
    with pytest.raises(ValueError, match="expected finite coordinates, got origin"):
        Grid((8,), (1.0,), origin=(math.nan,))
