"""Which code a configuration may name."""

import pytest

from pdekit.fields import Grid
from pdekit.targets import locate


def test_what_pdekit_defines_may_be_named():
    assert locate("pdekit.fields.Grid") is Grid


@pytest.mark.parametrize("path", ["os.system", "builtins.eval", "pdekitten.Model", "torch.load", "Grid", ""])
def test_other_code_needs_trust(path):
    with pytest.raises(ValueError, match="if it is yours, add trust="):
        locate(path)


@pytest.mark.parametrize(
    "path", ["pdekit.machine.os", "pdekit.fields.prod", "pdekit.runs.np.load", "pdekit.plain.partial"]
)
def test_what_pdekit_merely_imports_is_not_its_own(path):
    with pytest.raises(ValueError, match=r"defined in pdekit|to exist"):
        locate(path)


@pytest.mark.parametrize("path", ["pdekit.fields.Gird", "pdekit.nowhere.Thing"])
def test_what_does_not_exist_is_named(path):
    with pytest.raises(ValueError, match="to exist, found"):
        locate(path)


def test_trust_opens_one_package(tmp_path, monkeypatch):
    (tmp_path / "mine_for_a_test.py").write_text("def net():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="trust=mine_for_a_test"):
        locate("mine_for_a_test.net")
    assert locate("mine_for_a_test.net", ("mine_for_a_test",))() == 1
    with pytest.raises(ValueError, match="trust=os"):
        locate("os.system", ("mine_for_a_test",))
