"""Scores are understood by their dimensions: whatever is added to them has its place in the report."""

import numpy as np
import pytest
import xarray as xr

from pdekit.report.variables import fields_of, of_field, quartiles, reference_of, values_of, variables, with_one_extra

FRAME = ("model", "member", "sample", "time", "field")


def scores_of(fields=("u", "T"), units=("m/s", "K")):
    rng = np.random.default_rng(0)

    def some(*dims):
        sizes = {"model": 2, "member": 2, "sample": 3, "time": 4, "field": len(fields), "shell": 5, "region": 2}
        return dims, rng.uniform(1, 2, [sizes[d] for d in dims])

    variables = {
        "rmse": some(*FRAME),
        "nrmse": some(*FRAME),
        "bias": some(*FRAME),
        "coherence": some(*FRAME, "shell"),
        "sliced": some("model", "member", "sample"),
        "sliced_floor": some("sample"),
        "brand_new": some("model", "sample", "time", "field"),
        "residual_norm": some("model", "sample", "time", "region"),
        "residual_floor": some("sample", "time", "region"),
        "parameters": some("model"),
        "unit": ("field", list(units)),
        "rank_histogram": (("model", "field", "rank"), np.ones((2, len(fields), 3))),
    }
    scores = xr.Dataset(variables, {"model": ["a", "b"], "field": list(fields), "region": ["in", "out"]})
    scores["bias"] -= 1.5
    scores["rmse"].attrs["units"] = " ".join(units)
    scores["brand_new"].attrs |= {"units": "J", "long_name": "a brand new thing"}
    return scores


def found(scores):
    return {v.name: v for v in variables(scores)}


def test_dimensions_say_what_a_variable_is():
    known = found(scores_of())
    assert set(known) == {"rmse", "nrmse", "bias", "coherence", "sliced", "brand_new", "residual_norm"}
    assert known["rmse"].in_time and known["rmse"].by_field and known["rmse"].extra is None
    assert known["coherence"].extra == "shell" and not known["coherence"].named
    assert known["residual_norm"].extra == "region" and known["residual_norm"].named
    assert not known["sliced"].in_time and not known["sliced"].by_field


def test_two_dimensions_of_names_are_made_one():
    scores = scores_of()
    values = np.arange(12.0).reshape(2, 3, 2, 1) * np.ones((2, 3, 2, 2))
    scores["equation_residual"] = (("model", "sample", "region", "equation"), values)
    scores["equation_residual_floor"] = (("sample", "region", "equation"), values[0])
    scores = with_one_extra(scores.assign_coords(equation=["heat", "flow"]))
    residual = found(scores)["equation_residual"]
    assert residual.extra == "region_equation" and residual.named and residual.best == 0.0
    assert scores[residual.extra].values.tolist() == ["in, heat", "in, flow", "out, heat", "out, flow"]
    assert scores.equation_residual.sel(model="b", region_equation="out, flow").values.tolist() == [7, 9, 11]
    assert scores.residual_norm.dims == ("model", "sample", "time", "region"), "one alone stays"


def test_the_catalogue_says_what_is_perfect_and_the_scores_what_is_unknown_to_it():
    known = found(scores_of())
    assert (known["nrmse"].best, known["coherence"].best, known["brand_new"].best) == (0.0, 1.0, None)
    assert known["sliced"].best == 0.0, "it has a floor, so less is better"
    assert known["bias"].signed and not known["rmse"].signed
    assert (known["brand_new"].title, known["brand_new"].unit) == ("a brand new thing", "J")
    assert known["nrmse"].title == "nRMSE" and known["nrmse"].unit == "1"


def test_units_are_those_of_the_field():
    scores = scores_of()
    known = found(scores)
    assert of_field(known["rmse"], scores, "T").unit == "K"
    assert of_field(known["nrmse"], scores, "T").unit == "1"
    assert of_field(known["brand_new"], scores, "T").unit == "J"


def test_means_over_fields_are_made_of_relative_measures_only():
    scores = scores_of()
    known = found(scores)
    assert fields_of(known["nrmse"], scores) == [None, "u", "T"]
    assert fields_of(known["rmse"], scores) == ["u", "T"]
    assert fields_of(known["residual_norm"], scores) == [None]
    one = scores_of(("u",), ("m/s",))
    assert fields_of(found(one)["nrmse"], one) == ["u"]


def test_forecasts_are_members_and_samples_that_exist():
    scores = scores_of()
    values = values_of(scores.nrmse, "a")
    assert values.shape == (6, 4)
    assert values[1, 2] == pytest.approx(float(scores.nrmse.sel(model="a")[0, 1, 2].mean()))
    alone = scores.nrmse.copy()
    alone.loc[{"model": "a", "member": 1}] = np.nan
    assert values_of(alone, "a").shape == (3, 4)
    assert values_of(scores.coherence, "b", "T").shape == (6, 4, 5)
    assert values_of(scores.residual_floor).shape == (3, 4, 2)
    assert values_of(scores.sliced, "a").shape == (6,)


def test_an_infinity_counts_as_larger_than_everything():
    middle, lower, upper = quartiles(np.array([[1.0], [2.0], [np.inf]]))
    assert (middle[0], lower[0], upper[0]) == (2.0, 1.5, np.inf)
    assert np.isnan(quartiles(np.zeros((0, 3)))[0]).all()


def test_what_belongs_to_the_reference_is_found():
    scores = scores_of()
    assert reference_of(scores, "sliced", "floor") is not None
    assert reference_of(scores, "residual_norm", "floor").dims == ("sample", "time", "region")
    assert reference_of(scores, "nrmse") is None
