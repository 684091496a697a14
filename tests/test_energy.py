"""Counters of energy: sums over packages, a counter that starts again, and reasons instead of numbers."""

import pytest

from pdekit import energy
from pdekit.energy import Counter, Energy, nvml, rapl


@pytest.fixture
def powercap(tmp_path):
    """Two packages with one part each, as Linux shows them."""
    for name, joules in (("intel-rapl:0", 10), ("intel-rapl:0:0", 4), ("intel-rapl:1", 20), ("intel-rapl", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{joules * 1_000_000}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("100000000\n")
    return tmp_path


def take(powercap, **joules):
    for name, value in joules.items():
        (powercap / "new").write_text(f"{int(value * 1e6)}\n")
        (powercap / "new").replace(powercap / f"intel-rapl:{name[1:]}" / "energy_uj")


def test_packages_are_added_and_their_parts_are_not(powercap):
    with Energy(powercap=powercap) as spent:
        take(powercap, p0=13.5, p1=24)
    assert spent.joules == {"processor": 7.5} and spent.record() == {"joules": {"processor": 7.5}, "absent": {}}


def test_a_counter_that_starts_again(powercap):
    """Three times within the block: seen because it is read in between."""
    values = iter([90.0, 20.0, 95.0, 5.0])
    counter = Counter(lambda: next(values), 100.0)
    for _ in range(4):
        counter.read()
    assert counter.joules == pytest.approx(30 + 75 + 10)
    with Energy(powercap=powercap) as spent:
        take(powercap, p0=2)
    assert spent.joules == {"processor": 92.0}


def test_it_is_read_in_between(powercap, monkeypatch):
    monkeypatch.setattr(energy, "INTERVAL", 0.001)
    spent = Energy(powercap=powercap)
    counter = spent._counters[0][1]
    with spent:
        take(powercap, p0=60)
        while counter.joules < 50:
            pass
        take(powercap, p0=5)
    assert spent.joules["processor"] == pytest.approx(95)


def test_reasons(tmp_path, powercap, monkeypatch):
    assert rapl(tmp_path / "nothing") == ([], f"no RAPL counters in {tmp_path / 'nothing'}")
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    with Energy(powercap=powercap) as spent:
        pass
    assert spent.joules == {} and "may not be read" in spent.absent["processor"]
    monkeypatch.setattr(energy.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError()))
    assert nvml() == ([], "NVML is not installed")
    assert Energy(gpu=True, powercap=powercap).absent["gpu"] == "NVML is not installed"


@pytest.mark.gpu
def test_a_gpu_takes_energy():
    import torch

    with Energy(gpu=True) as spent:
        u = torch.randn(4096, 4096, device="cuda")
        for _ in range(500):
            u = (u @ u).tanh()
        torch.cuda.synchronize()
    assert "gpu" in spent.absent or spent.joules["gpu"] > 1
