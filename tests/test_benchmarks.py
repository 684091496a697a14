"""Every benchmark runs in its quick form against the package as it is, with or without the peers."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOWN = {  # lines that the output must contain, and peers that are named if they are missing
    "cylinder_forces": (["| drag | lift |", "| 2 | 0.06 |"], {}),
    "evaluation_memory": (["MiB at most"], {}),
    "evaluation_speed": (["one pass of transforms", "field measures", "of a further model"], {}),
    "finite_volume": (["float64 / float32", "relative L1 error of depth"], {}),
    "fno_speed": (["| pdekit |", "| neuraloperator |", "| repaired |"], {}),
    "gradients": (["| diffusion, ETDRK4, 32 |", "| Darcy, adjoint, 17^2 |", "error vs adjoint"], {}),
    "loader_throughput": (["pdekit, its own layout", "pdekit, The Well's layout"], {"the_well": "the_well"}),
    "pinn_derivatives": (["| Taylor jet |", "| nested autograd |"], {"deepxde": "DeepXDE", "pina": "PINA"}),
    "projection": (["share of Poisson", "| 32^2 | 16 |"], {}),
    "published_windows": (["| PDEBench, one array |", "opening 102 GB"], {}),
    "solver_speed": (
        ["Time of a step", "| ks 256 | 64 |", "Time at that error"],
        {"exponax": "exponax", "torch_cfd": "torch-cfd", "jax_cfd": "jax-cfd"},
    ),
    "written_once": (["| KS 256 | 1 |", "| vorticity 64^2 | 1 |"], {}),
}
PARTS = {"interleaved", "solver_peers"}  # imported by the others


def test_every_benchmark_is_listed():
    assert {path.stem for path in (ROOT / "benchmarks").glob("*.py")} == set(SHOWN) | PARTS


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_a_benchmark_runs_in_its_quick_form(name):
    command = [sys.executable, f"benchmarks/{name}.py", "--quick"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    shown, peers = SHOWN[name]
    for line in shown:
        assert line in done.stdout, done.stdout
    for module, peer in peers.items():
        named = f"{peer}: not installed" in done.stdout
        assert named == (importlib.util.find_spec(module) is None), done.stdout
