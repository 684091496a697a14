"""The table: medians over forecasts, the solvers that matter, and sentences that hold."""

import json
import math

import numpy as np
import pytest
import xarray as xr

from pdekit.report.summary import closing_lines, sentence, summarise


def scores_of(errors, kinds, seconds, correlations=None, floor=None, absent=None):
    """Scores of one field from "model: sample time" errors, at lead times 1, 2, ..."""
    names = list(errors)
    error = np.stack([np.asarray(errors[name], float) for name in names])[:, None, :, :, None]
    n_samples, n_times = error.shape[2:4]
    t = np.arange(1.0, n_times + 1)
    dims = ("model", "member", "sample", "time", "field")
    rho = 1 - 0.2 * error if correlations is None else np.asarray(correlations, float)[:, None, :, :, None]
    variables = {
        "nrmse": (dims, error),
        "correlation": (dims, np.where(np.isfinite(error), rho, -np.inf)),
        "lead_time": (("sample", "time"), np.tile(t, (n_samples, 1))),
        "kind": ("model", kinds),
        "parameters": ("model", [1000 if kind == "surrogate" else 0 for kind in kinds]),
        "network_calls": ("model", [n_times if kind == "surrogate" else 0 for kind in kinds]),
        "seconds_per_forecast": ("model", seconds),
    }
    if floor is not None:
        variables["nrmse_floor"] = ("time", floor)
    coords = {"model": names, "time": t, "field": ["u"]}
    return xr.Dataset(variables, coords, {"absent": json.dumps(absent or {})})


FLAT = np.ones((3, 4))
MODELS = {
    "fno": 0.5 * FLAT,
    "persistence": 2 * FLAT,
    "a": 0.9 * FLAT,
    "b": 0.6 * FLAT,
    "c": 0.4 * FLAT,
    "d": 0.1 * FLAT,
}
KINDS = ["surrogate", "baseline", "solver", "solver", "solver", "solver"]


def rows_of(summary):
    return {row.name: row for row in summary.rows}


def test_the_most_accurate_not_dearer_and_the_cheapest_not_worse_solver_are_chosen():
    summary = summarise(scores_of(MODELS, KINDS, [0.010, 0, 0.001, 0.002, 0.020, 0.100]))
    assert list(rows_of(summary)) == ["fno", "persistence", "b", "c"]
    assert rows_of(summary)["b"].note == "most accurate not more expensive"
    assert rows_of(summary)["c"].note == "cheapest not worse"
    assert [row.name for row in summary.solvers] == ["a", "b", "c", "d"]


def test_one_solver_may_be_both():
    scores = scores_of(MODELS, KINDS, [0.010, 0, 0.001, 0.002, 0.003, 0.100])
    assert rows_of(summarise(scores))["c"].note == "most accurate not more expensive, cheapest not worse"
    assert "It is dominated: at no larger error at t = 4, c takes 3 ms" in sentence(summarise(scores), scores)


def test_where_no_solver_will_do_the_row_says_so():
    summary = summarise(scores_of(MODELS, KINDS, [0.0001, 0, 0.001, 0.002, 0.003, 0.1]))
    assert summary.rows[2].note == "every solver of the sweep takes longer" and summary.rows[2].kind == "absent"
    accurate = MODELS | {"fno": 0.01 * FLAT}
    scores = scores_of(accurate, KINDS, [0.01, 0, 0.001, 0.002, 0.003, 0.1])
    assert summarise(scores).rows[-1].note == "every solver of the sweep has a larger error"
    assert "No solver of the sweep is as accurate" in sentence(summarise(scores), scores)


def test_faster_and_slower_are_said_at_equal_error_only():
    # the cheapest solver that is not worse takes 20 ms, but one of equal error, 0.5 between 0.6 and 0.4, takes 5.6 ms
    scores = scores_of(MODELS, KINDS, [0.010, 0, 0.001, 0.002, 0.020, 0.100])
    text = sentence(summarise(scores), scores)
    assert "dominated" not in text and "At equal error at t = 4 a solver takes 5.63 ms" in text
    assert "it is 1.8 times slower, and never pays." in text
    quick = scores_of(MODELS, KINDS, [0.003, 0, 0.001, 0.002, 0.020, 0.100])
    assert "it is 1.9 times faster." in sentence(summarise(quick), quick)


def test_what_is_cheaper_and_less_accurate_than_all_solvers_is_not_called_faster():
    scores = scores_of(MODELS | {"fno": FLAT}, KINDS, [0.0005, 0, 0.001, 0.002, 0.020, 0.100])
    text = sentence(summarise(scores), scores)
    assert "Every solver of the sweep is more accurate at t = 4 and takes longer" in text and "faster" not in text


def test_a_surrogate_pays_when_training_and_data_are_earned():
    scores = scores_of(MODELS, KINDS, [0.003, 0, 0.001, 0.002, 0.020, 0.100])
    scores["training_seconds"] = ("model", [30.0, 0, 0, 0, 0, 0])
    scores.attrs["data_seconds"] = 10.0
    summary = summarise(scores)
    (verdict,) = summary.verdicts
    gain = 0.002 * 10 ** (math.log(0.6 / 0.5) / math.log(0.6 / 0.4)) - 0.003
    assert verdict.break_even == math.ceil(40 / gain)
    assert "and pays after 1.52e+04 forecasts" in sentence(summary, scores)


def test_the_time_of_comparison_can_be_chosen():
    scores = scores_of(MODELS, KINDS, [1.0] * 6)
    scores.attrs["compare_at"] = 2.2
    summary = summarise(scores)
    assert summary.times[summary.compared] == 2


def test_several_seeds_have_a_row_of_medians_in_which_a_diverged_seed_counts():
    errors = {f"fno ({seed})": level * FLAT for seed, level in zip("abc", (0.1, 0.3, np.inf), strict=True)}
    scores = scores_of(errors | {"unet": FLAT}, ["surrogate"] * 4, [0.01, 0.02, 0.03, 0.01])
    scores["method"] = ("model", ["fno", "fno", "fno", "unet"])
    row = summarise(scores).rows[0]
    assert (row.name, row.kind, row.note) == ("fno, 3 seeds", "seeds", "median, best and worst seed")
    assert (row.errors[0].median, row.errors[0].lower, row.errors[0].upper) == (0.3, 0.1, math.inf)
    assert row.diverged == pytest.approx(1 / 3) and row.seconds == 0.02
    assert [r.name for r in summarise(scores).rows[1:]] == ["fno (a)", "fno (b)", "fno (c)", "unet"]


def test_medians_quartiles_and_divergence():
    errors = np.array([[0.1, 0.2], [0.1, 0.4], [0.1, 0.6], [0.1, np.inf], [0.1, 0.3]])
    row = summarise(scores_of({"fno": errors}, ["surrogate"], [1.0])).rows[0]
    assert (row.errors[-1].median, row.errors[-1].lower, row.errors[-1].upper) == (0.4, 0.3, 0.6)
    assert row.diverged == pytest.approx(0.2)
    worse = np.where(errors > 0.3, np.inf, errors)
    scores = scores_of({"fno": worse}, ["surrogate"], [1.0])
    assert summarise(scores).rows[0].errors[-1].median == math.inf
    assert "60% of its forecasts diverge" in sentence(summarise(scores), scores)
    assert "diverged" in closing_lines(summarise(scores), scores)


def test_members_that_were_never_made_do_not_count():
    scores = scores_of(MODELS, KINDS, [1.0] * 6)
    second = scores[["nrmse", "correlation"]].where(scores.model == "fno")
    both = xr.concat([scores[["nrmse", "correlation"]], second], "member")
    scores = scores.drop_vars(["nrmse", "correlation"]).merge(both)
    rows = rows_of(summarise(scores))
    assert rows["persistence"].errors[0].median == 2 and rows["persistence"].diverged == 0


def test_surrogate_and_solvers_are_compared_while_the_surrogate_is_useful():
    rho = np.array([[[0.99, 0.9, 0.81, 0.7, 0.2, 0.0]]])
    summary = summarise(scores_of({"fno": np.ones((1, 6))}, ["surrogate"], [1.0], rho))
    assert summary.times[summary.compared] == 3
    assert summary.rows[0].correlation_time.median == pytest.approx(3 + 0.01 / 0.11)
    never = summarise(scores_of({"fno": np.ones((1, 6))}, ["surrogate"], [1.0], 0 * rho))
    assert never.times[never.compared] == 1
    always = summarise(scores_of({"fno": np.ones((1, 6))}, ["surrogate"], [1.0], 0 * rho + 1))
    assert always.times[always.compared] == 6 and always.rows[0].censored == 1
    assert "≥ 6" in closing_lines(always, scores_of({"fno": np.ones((1, 6))}, ["surrogate"], [1.0], 0 * rho + 1))


def test_errors_below_the_floor_are_marked():
    errors = {"fno": np.array([[1e-3, 1e-1]] * 3)}
    row = summarise(scores_of(errors, ["surrogate"], [1.0], floor=[2e-3, 2e-2])).rows[0]
    assert row.floored == (True, False)


def test_baselines_that_are_not_defined_have_a_row_with_the_reason():
    scores = scores_of(MODELS, KINDS, [1.0] * 6, absent={"pod": "no training data"})
    assert (summarise(scores).rows[-1].name, summarise(scores).rows[-1].note) == ("pod", "no training data")
    assert closing_lines(summarise(scores), scores).splitlines()[-1].split() == ["pod", "no", "training", "data"]


def test_without_a_surrogate():
    scores = scores_of({"persistence": FLAT, "s": FLAT}, ["baseline", "solver"], [0.0, 1.0])
    assert [row.name for row in summarise(scores).rows] == ["persistence", "s"]
    assert "no surrogate took part" in sentence(summarise(scores), scores)


def test_a_steady_problem_has_one_time():
    summary = summarise(scores_of({"fno": np.ones((3, 1))}, ["surrogate"], [1.0]))
    assert summary.frames == (0,) and summary.compared == 0
