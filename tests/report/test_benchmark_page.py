"""The page of a benchmark: infinite distances, ranks that are shared, and problems without scores."""

import pytest

from pdekit.metrics.costs import Front
from pdekit.models.baselines.persistence import Persistence
from pdekit.models.resolution import at_resolution
from pdekit.report.benchmark import BenchmarkProblem, benchmark_pages, ranks
from pdekit.report.summary import Row, Spread, Summary
from tests.evaluation.scoring import evaluate
from tests.test_compare import Shift, waves


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    source, folder = waves(), tmp_path_factory.mktemp("scores")
    models = {name: at_resolution(name, Shift(factor), (16,)) for name, factor in (("zero", 0.0), ("wave", 1.1))}
    with evaluate(models, source, folder, baselines={"persistence": Persistence(source.problem)}) as scores:
        problems = [BenchmarkProblem("line", scores, {"fno-0": "expected a|b"}), BenchmarkProblem("none", None, {})]
        return benchmark_pages("Benchmark of waves", problems)


def test_a_vanishing_spectrum_is_infinitely_far_and_has_not_diverged(page):
    table = page["benchmark.md"].split("### Errors by field")[1].split("###")[0]
    (zero,) = [line for line in table.splitlines() if line.startswith("| zero |")]
    assert "∞" in zero and "diverged" not in zero and "| 1 |" in zero
    (wave,) = [line for line in table.splitlines() if line.startswith("| wave |")]
    assert "**" in wave, "the best of a column is marked"


def test_jobs_without_scores_stand_with_their_reason(page):
    assert "| fno-0 | expected a\\|b |" in page["benchmark.md"]
    assert "## none\n\nNo job is evaluated." in page["benchmark.md"] and "expected a|b" in page["benchmark.html"]


def summary(errors, blown_up=None):
    rows = tuple(
        Row(n, "surrogate", errors=(Spread(e, e, e),), forecasting=(True,), blown_up=((blown_up or {}).get(n, 0.0),))
        for n, e in errors.items()
    )
    return Summary(rows, (), (0,), (1.0,), 0, Front((), ()))


def test_a_method_of_which_forecasts_blow_up_does_not_win():
    table = ranks({"p": summary({"a": 0.2, "b": 0.1, "c": 0.01}, {"c": 0.25})})
    assert [line.label for line in table.lines] == ["b", "a", "c"]


def test_equal_errors_share_the_mean_of_their_ranks_and_a_mean_needs_all_problems():
    table = ranks({"p": summary({"a": 0.2, "b": 0.1, "c": 0.2}), "q": summary({"a": 0.3})})
    found = {line.label: [cell.text for cell in line.cells] for line in table.lines}
    assert found == {"a": ["2.5", "1", "1.75"], "b": ["1", "–", "–"], "c": ["2.5", "–", "–"]}
    assert [line.label for line in table.lines] == ["a", "b", "c"]
