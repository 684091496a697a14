"""What a report says of the coupling: its size for each field, and what each surrogate has of it."""

import numpy as np
import xarray as xr

from pdekit.report.sections.coupling import coupling_words


def scores(effect, captured, relative):
    """Two samples of a potential and a velocity of two parts; models a and b."""
    fields = {"field": ["potential", "velocity_x", "velocity_y"], "group": ("field", ["potential", *["velocity"] * 2])}
    dims = ("model", "member", "sample", "time", "field")

    def of_models(values):
        return dims, np.tile(np.array(values, dtype=float)[:, None, None, None, :], (1, 1, 2, 1, 1))

    return xr.Dataset(
        {
            "coupling_effect": (("sample", "time", "field"), np.tile(np.array(effect, dtype=float), (2, 1, 1))),
            "coupling_captured": of_models(captured),
            "coupling_relative": of_models(relative),
        },
        {"model": ["a", "b"], **fields},
    )


def test_every_field_and_surrogate_is_told():
    nan = np.nan
    found = coupling_words(
        scores([0.0, 0.2, 0.3], [[nan, 1.0, 0.8], [nan, 0.1, 0.1]], [[nan, 0.25, 0.35], [nan, 1.5, 1.7]]), ["a", "b"]
    )
    assert found == [
        "With the coupling cut and all else the same, the solution changes: velocity by 25 %; potential not at all.",
        "Of this change a has in velocity 90 %, off by 30 %.",
        "Of this change b has in velocity 10 %, off by 160 %, so that a solution without the coupling is nearer.",
        "A solution without the coupling is off by 100 %.",
    ]


def test_a_coupling_in_name_only_is_seen_as_such():
    effect, model, _ = coupling_words(scores([1.7e-6, 0.01, 0.01], [[1.0] * 3] * 2, [[1e4, 0.5, 0.5]] * 2), ["a"])
    assert "potential by 1.7e-04 % and velocity by 1 %" in effect
    assert "in potential 100 %, off by 1000000 %, so that" in model
    assert coupling_words(scores([0.0] * 3, [[np.nan] * 3] * 2, [[np.nan] * 3] * 2), ["a"]) == [
        "With the coupling cut and all else the same, no field changes."
    ]


def test_what_diverged_is_said_and_without_a_cut_nothing():
    found = coupling_words(scores([0.1] * 3, [[np.inf] * 3] * 2, [[np.inf] * 3] * 2), ["b"])
    assert (
        found[1] == "Of this change b has in potential nothing: it has diverged; in velocity nothing: it has diverged."
    )
    assert coupling_words(xr.Dataset(), ["a"]) == []
