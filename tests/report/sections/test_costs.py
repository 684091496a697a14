"""Cost next to accuracy under every measure that can be chosen: what is said, and what is not known."""

import dataclasses

import numpy as np
import pytest

from pdekit.report.charts.curves import lines
from pdekit.report.sections.costs import Accuracy, _with_seeds, accuracies, cost_parts, predictable
from pdekit.report.summary import Row, summarise
from pdekit.report.variables import variables
from tests.report.test_summary import scores_of

KINDS = ["surrogate", "baseline", "solver", "solver", "solver"]
SECONDS = [0.010, 0, 0.001, 0.004, 0.016]


def falling(rate):
    """Errors of 3 samples at 10 times that grow, and correlations that fall by the rate in each frame."""
    t = np.arange(1, 11)
    return np.tile(rate * t, (3, 1)), np.tile(1 - rate * t, (3, 1))


def found(rates, seconds=SECONDS):
    pairs = {name: falling(rate) for name, rate in zip("fpabc", rates, strict=True)}
    scores = scores_of(
        {name: error for name, (error, _) in pairs.items()}, KINDS, seconds, [rho for _, rho in pairs.values()]
    )
    scores["training_seconds"] = ("model", [100.0, 0, 0, 0, 0])
    scores.attrs["data_seconds"] = 20.0
    table = summarise(scores)
    shown = lines([(row.name, row.kind) for row in table.rows if row.kind != "absent"])
    chosen = cost_parts(scores, table, shown, variables(scores))
    return {part.choice[0].split(",")[0]: part for part in chosen.parts}


def verdict(part, name="f"):
    (line,) = [line for line in part.table.lines if line.label == name]
    return [cell.text for cell in line.cells]


def test_the_axis_can_be_chosen():
    parts = found([0.05, 0.5, 0.2, 0.1, 0.025])
    titles = list(parts)
    assert titles[:2] == ["nRMSE where surrogate and solver are compared", "correlation time (above 0.8)"]
    assert "nRMSE at the last correlation above 0.8" in titles
    assert "nRMSE after one step" in titles and "nRMSE at the end" in titles
    for part in parts.values():
        assert "front of the solvers" in part.charts[0] and ">f</text>" in part.charts[0]
        assert verdict(part, "p")[1:] == ["–"] * 3, "a baseline has its row"


def test_faster_is_said_at_equal_accuracy_of_either_kind():
    parts = found([0.05, 0.5, 0.2, 0.1, 0.025])
    # the error halves when the time is four times as long: the solver of the surrogate's error would take 8 ms
    for name in ("nRMSE after one step", "correlation time (above 0.8)"):
        _, at, said, pays = verdict(parts[name])
        assert at == "8 ms" and said == "1.2 × slower at equal accuracy" and pays == "never"
    quick = found([0.05, 0.5, 0.2, 0.1, 0.025], [0.002, *SECONDS[1:]])
    assert verdict(quick["correlation time (above 0.8)"])[2:] == ["4 × faster at equal accuracy", "20000"]


def test_dominated_under_one_measure_and_not_under_another():
    parts = found([0.2, 0.5, 0.2, 0.1, 0.025])
    assert verdict(parts["nRMSE after one step"])[2:] == ["dominated", "never"]


def test_nothing_is_interpolated_next_to_a_solver_that_outlasts_the_horizon():
    part = found([0.05, 0.5, 0.2, 0.1, 0.001])["correlation time (above 0.8)"]
    value, at, said, pays = verdict(part)
    assert value == "4" and at == "–" and "not known" in said and pays == "–"
    # but a cheaper one that certainly holds longer beats it
    part = found([0.05, 0.5, 0.2, 0.001, 0.001])["correlation time (above 0.8)"]
    assert verdict(part)[2:] == ["dominated", "never"]


def test_a_surrogate_that_outlasts_the_horizon_is_not_judged():
    part = found([0.001, 0.5, 0.2, 0.1, 0.025])["correlation time (above 0.8)"]
    assert verdict(part) == ["≥ 10", "–", "outlasts the horizon: not known", "–"]


@pytest.mark.parametrize(
    "rates, said",
    [([0.5, 1, 0.2, 0.1, 0.05], "dominated"), ([0.01, 1, 0.2, 0.1, 0.05], "no solver of the sweep as accurate")],
)
def test_the_front_is_never_extrapolated(rates, said):
    assert verdict(found(rates)["nRMSE after one step"])[1:3] == ["–", said]


def test_without_solvers_there_is_a_chart_and_no_verdict():
    scores = scores_of({"f": np.ones((2, 3)), "p": np.ones((2, 3))}, ["surrogate", "baseline"], [1.0, 0.0])
    table = summarise(scores)
    chosen = cost_parts(scores, table, lines([("f", "surrogate"), ("p", "baseline")]), variables(scores))
    assert chosen.parts[0].table is None and "<svg" in chosen.parts[0].charts[0]
    assert len(accuracies(scores, table, variables(scores))) == 3


def test_a_reference_is_predictable_while_its_own_error_keeps_it_correlated():
    """Fields of equal size with correlation 0.8 differ by sqrt(0.4) = 0.632 of it."""
    assert predictable(np.array([0.1, 0.5, 0.63, 0.64, 0.9])) == 2
    assert predictable(np.array([0.1, 0.5, np.nan])) == 1, "what was not checked is not known"
    assert predictable(np.array([0.1, 0.2])) == 1 and predictable(np.array([0.9, 0.2])) == 0


@pytest.mark.parametrize(("bounded", "failed", "expected"), [(1, 1, False), (2, 2, True), (3, 3, True)])
def test_half_of_the_seeds_decide_for_their_method(bounded, failed, expected):
    names = ("a", "b", "c", "d")
    values = {name: (1.0 + i, i < bounded) for i, name in enumerate(names)}
    axis = Accuracy("nRMSE", "nRMSE", "nrmse", values, failed=frozenset(names[:failed]))
    table = summarise(scores_of({"a": np.ones((2, 3))}, ["surrogate"], [1.0]))
    rows = (Row("all", "seeds", seeds=names), Row("a", "surrogate"))
    found = _with_seeds(axis, dataclasses.replace(table, rows=rows))
    assert found.values["all"] == (2.5, expected) and ("all" in found.failed) is expected
