"""The time at which surrogates and solvers are compared, and what is said there."""

import math

import numpy as np
import pytest

from pdekit.report.charts.curves import lines
from pdekit.report.compared import blown_up, checked_frame, compared_frame, still_forecasts, why_compared
from pdekit.report.sections.costs import accuracies, cost_parts, predictable
from pdekit.report.summary import closing_lines, floor_at, sentence, summarise
from pdekit.report.variables import variables
from tests.report.test_summary import scores_of

T = np.arange(1, 11)


def grown(first, rate):
    """Errors of three samples that grow from a first one until they are those of two independent fields."""
    return np.tile(np.minimum(first * math.e ** (rate * (T - 1)), 1.2), (3, 1))


def correlations(errors):
    return [1 - np.asarray(error) ** 2 / 2 for error in errors.values()]


def chaotic(surrogate, seconds=0.010, **attrs):
    """A surrogate, two baselines and two solvers (1 and 20 ms) whose errors of one step are 1e-4 and 1e-6."""
    errors = {
        "fno": surrogate,
        "persistence": grown(0.7, 1.0),
        "mean": np.full((3, 10), 1.0),
        "cheap": grown(1e-4, 1.3),
        "dear": grown(1e-6, 1.5),
    }
    kinds = ["surrogate", "baseline", "baseline", "solver", "solver"]
    scores = scores_of(errors, kinds, [seconds, 0, 0, 0.001, 0.020], correlations(errors))
    scores.attrs |= attrs
    return scores


def test_a_surrogate_of_a_large_error_does_not_beat_a_solver_where_both_have_failed():
    """At the end it has 1.15, and every solver 1.2; at the last time at which one forecasts, it is dominated."""
    failed = np.where(T > 1, 1.15, 0.44) * np.ones((3, 1))
    scores = chaotic(failed)
    summary = summarise(scores)
    assert summary.times[summary.compared] == 7, "1e-4 exp(1.3 * 6) = 0.24 is below 0.5; one frame on it is 0.9"
    text = sentence(summary, scores)
    assert "It is dominated: at no larger error at t = 7, cheap takes 1 ms" in text and "faster" not in text
    assert "Compared at t = 7, the last time at which the better of surrogate and solver still forecasts" in text
    assert "More accurate than it (1.15) at t = 7: mean (1)." in text
    assert "Compared at t = 7" in closing_lines(summary, scores)


def test_a_solver_that_has_failed_is_neither_named_nor_shown():
    """The coarse one is worse as long as either forecasts, and a hundredth better where both have failed."""
    surrogate, coarse = grown(1e-2, 1.0), np.minimum(grown(2e-2, 1.0), 1.19)
    errors = {"fno": surrogate, "coarse": coarse, "fine": grown(1e-6, 1.5)}
    scores = scores_of(errors, ["surrogate", "solver", "solver"], [0.030, 0.001, 0.020], correlations(errors))
    summary = summarise(scores)
    assert summary.times[summary.compared] == 9 and not summary.rows[0].forecasting[summary.compared]
    assert "It is dominated: at no larger error at t = 9, fine takes 20 ms" in sentence(summary, scores)
    assert {row.name: row.note for row in summary.rows if row.kind == "solver"} == {
        "fine": "most accurate not more expensive, cheapest not worse"
    }


def test_a_solver_that_blows_up_in_one_sample_of_three_is_no_opponent():
    """Its median is the best of all and it is cheap, but a third of its forecasts diverge at the fifth time."""
    coarse = np.tile(np.full(10, 1e-3), (3, 1))
    coarse[1, 4:] = np.inf
    errors = {"fno": np.full((3, 10), 0.1), "coarse": coarse, "fine": np.full((3, 10), 0.01)}
    scores = scores_of(errors, ["surrogate", "solver", "solver"], [0.010, 0.001, 0.020])
    assert blown_up(scores, "coarse").tolist() == [0.0] * 4 + [1 / 3] * 6 and not blown_up(scores, "fine").any()
    assert still_forecasts(scores, "coarse").tolist() == [True] * 4 + [False] * 6
    summary = summarise(scores)
    found = next(row for row in summary.rows if row.name == "fno")
    assert summary.front.seconds == (0.020,) and found.verdict.less_accurate and not found.verdict.dominated
    assert "coarse" not in [row.name for row in summary.rows]
    alone = scores.sel(model=["coarse", "fine"]).assign_attrs(compare_at=10.0)
    assert [row.name for row in summarise(alone).rows] == ["fine"]


def test_a_surrogate_that_outlasts_the_solvers_that_take_no_longer():
    scores = chaotic(grown(1e-4, 1.0), seconds=0.010)
    summary = summarise(scores)
    assert summary.times[summary.compared] == 9 and summary.rows[0].errors[summary.compared].median < 0.5
    assert "mean (" not in sentence(summary, scores) or "More accurate" not in sentence(summary, scores)


def test_no_equal_error_is_interpolated_among_solvers_that_have_failed():
    errors = {
        "fno": np.full((3, 2), 1.15),
        "cheap": np.full((3, 2), 1.2),
        "dear": np.full((3, 2), 1.1),
        "dearest": np.full((3, 2), 0.1),
    }
    kinds = ["surrogate", "solver", "solver", "solver"]
    scores = scores_of(errors, kinds, [0.001, 0.002, 0.008, 0.02], correlations(errors))
    text = sentence(summarise(scores), scores)
    assert "Every solver that still forecasts is more accurate at t = 1 and takes longer" in text
    assert "faster" not in text
    worse = scores.sel(model=["fno", "cheap", "dear"])
    assert "Neither it nor a solver of the sweep forecasts at t = 1." in sentence(summarise(worse), worse)
    shown = lines([(name, kind) for name, kind in zip(errors, kinds, strict=True)])
    for part in cost_parts(worse, summarise(worse), shown, variables(worse)).parts:
        if part.choice[0].startswith("nRMSE"):
            assert part.table.lines[0].cells[2].text == "neither it nor a solver forecasts"


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({}, 7),
        ({"predictable_until": 4.5, "predictability_checked_until": 9.0}, 4),
        ({"predictability_checked_until": 5.0}, 5),
        ({"predictability_checked_until": 4.9999}, 5),  # stored with four digits
        ({"predictability_checked_until": 0.5}, 1),
        ({"compare_at": 3.2, "predictable_until": 2.0}, 3),
        ({"compare_at": "useful"}, 1),
    ],
)
def test_nothing_is_compared_beyond_the_check_unless_it_is_asked_for(attrs, expected):
    scores = chaotic(grown(0.65, 1.0), **attrs)
    assert scores.time.values[compared_frame(scores, "fno")] == expected
    assert ("requested" in why_compared(scores)) == (attrs.get("compare_at") == 3.2)
    known = {"predictable_until", "predictability_checked_until"} & set(attrs)
    assert (checked_frame(scores) == len(T) - 1) == (not known)


def test_a_model_that_comes_back_by_chance_does_not_forecast_again():
    error = np.array([[0.1, 0.9, 0.1]] * 3)
    scores = scores_of({"fno": error}, ["surrogate"], [1.0], [np.zeros((3, 3))])
    assert still_forecasts(scores, "fno").tolist() == [True, False, False]
    scores = scores_of({"fno": error}, ["surrogate"], [1.0], [np.full((3, 3), 0.9)])
    assert still_forecasts(scores, "fno").all(), "a correlation above 0.8 is enough"


def test_an_unresolved_reference_is_reported():
    scores = chaotic(grown(0.01, 0.5), reference_warning="the reference of front is not resolved")
    assert sentence(summarise(scores), scores).endswith("Warning: the reference of front is not resolved.")
    alone = scores.isel(model=[1, 2])
    assert "Warning: the reference" in sentence(summarise(alone), alone)
    scores.attrs["reference_warning"] = ""
    assert "Warning" not in sentence(summarise(scores), scores)


def test_a_steady_problem_is_judged_by_its_error():
    errors = {"fno": np.full((3, 1), 0.6), "POD regression": np.full((3, 1), 0.3), "s": np.full((3, 1), 0.1)}
    scores = scores_of(errors, ["surrogate", "baseline", "solver"], [0.1, 0.0, 1.0], [np.ones((3, 1))] * 3)
    text = sentence(summarise(scores), scores)
    assert not summarise(scores).rows[0].forecasting[0]
    assert "More accurate than it (0.6): POD regression (0.3)." in text and "Compared" not in text


def test_the_correlation_time_stands_first_for_chaotic_problems():
    exponent = {"lyapunov_exponent": 0.1}
    for attrs, first in ((exponent, "correlation_time"), ({}, "nrmse"), (exponent | {"error": "nrmse"}, "nrmse")):
        scores = chaotic(grown(0.01, 0.5), **attrs)
        assert accuracies(scores, summarise(scores), variables(scores))[0].measure == first


def test_no_floor_is_known_beyond_its_check():
    floor = np.array([0.1, 0.2, *[np.nan] * 8])
    scores = chaotic(grown(1e-3, 1.0))
    scores["nrmse_floor"] = ("time", floor)
    assert [floor_at(scores, frame) for frame in (0, 1, 2)] == [0.1, 0.2, 0.0]
    assert predictable(floor) == 1 and predictable(np.array([0.1, 0.7, 0.8])) == 0
    summary = summarise(scores)
    assert summary.rows[0].floored[:1] == (True,) and not any(summary.rows[0].floored[1:])
    titles = [axis.title for axis in accuracies(scores, summary, variables(scores))]
    assert "nRMSE at the end of the reference's check, t = 2" in titles


def test_a_forecast_that_comes_back_has_blown_up_all_the_same():
    scores = chaotic(grown(1e-2, 1.0))
    scores.nrmse.loc[{"model": "cheap", "sample": scores.sample[0], "time": scores.time[3]}] = math.inf
    assert blown_up(scores, "cheap").tolist() == pytest.approx([0.0] * 3 + [1 / 3] * 7)
    assert still_forecasts(scores, "cheap").tolist() == [True] * 3 + [False] * 7
