"""The page of inspected files says what inspect says today."""

import pytest

from .inspected import PAGE, page


@pytest.mark.slow
def test_the_page_is_up_to_date(tmp_path):
    assert page(tmp_path) == PAGE.read_text(), "python -m tests.data.formats.inspected, and read what has changed"
