"""docs/score_your_forecasts.md, executed as it is."""

import doctest
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "score_your_forecasts.md"


@pytest.mark.slow
def test_the_page_runs():
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False, verbose=False)
    assert failed == 0 and attempted > 15
