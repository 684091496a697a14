"""Cost of a training step of our FNO next to neuraloperator's.

Both have the same modes, width, layers, lifting, projection and channel perceptron (skip: identity; coordinates:
none), the same data and the same AdamW. They take turns in one process, once with the allocator settings of
`pdekit.machine.tune_allocator` and once without, each in a process of its own, since the settings last. "repaired" is
neuraloperator's model behind `pdekit.nets.neuralop`, which does its transforms with ours.

Columns: real numbers among the parameters; smallest time of a forward pass without gradients and of a training step
(processor time on CPUs, elapsed time on GPUs); their ratio to neuraloperator's, median over rounds and half the
distance of the quartiles; memory that three training steps add at their peak (resident memory of a process that does
nothing else, or what the CUDA allocator counts).

    python benchmarks/fno_speed.py [--quick] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable

from pdekit.machine import describe_machine, set_threads_policy, tune_allocator

CASES = {  # axes, points of each, modes, batch, width
    "64^2 m12 w32 B16": (2, 64, 12, 16, 32),
    "128^2 m12 w32 B16": (2, 128, 12, 16, 32),
    "256 m16 w64 B64": (1, 256, 16, 64, 64),
}
QUICK = {"32^2 m6 w8 B4": (2, 32, 6, 4, 8)}
NETS = ("pdekit", "neuraloperator", "repaired")
HEADER = ["case", "net", "parameters", "forward ms", "ratio", "step ms", "ratio", "memory MiB"]


def build(net: str, case: str):
    """A net, its training step and its forward pass, on the GPU if there is one."""
    import torch
    from neuralop.models import FNO as Theirs

    from pdekit.nets.fno import FNO
    from pdekit.nets.neuralop import NeuralOperator

    ndim, n, modes, batch, width = (CASES | QUICK)[case]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    if net == "pdekit":
        model = FNO(ndim, 1, 1, modes=modes, width=width)
    else:
        model = Theirs((2 * modes,) * ndim, 1, 1, width, positional_embedding=None, channel_mlp_skip="identity")
        if net == "repaired":
            model = NeuralOperator(model, ndim, 1, 1, n_conditions=0, padding=0.0)
    model = model.to(device)
    u, target = torch.randn(2, batch, 1, *[n] * ndim, device=device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        (model(u) - target).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    def forward() -> None:
        with torch.no_grad():
            model(u)

    return model, step, forward


def elapsed_turns(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """`interleaved.take_turns` for a GPU: elapsed seconds of ten calls, waiting for the device."""
    import torch

    times = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(10):
                function()
            torch.cuda.synchronize()
            if turn:  # the first one warms up
                times[name].append((time.perf_counter() - start) / 10)
    return times


def peak_memory(net: str, case: str) -> float:
    """MiB that three training steps add; to be called in a process of its own."""
    import torch

    _, step, _ = build(net, case)
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
    else:
        with open("/proc/self/clear_refs", "w") as resets:
            resets.write("5")  # the peak starts from here
        before = resident("VmRSS")
    for _ in range(3):
        step()
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else resident("VmHWM")
    return (peak - before) / 2**20


def resident(which: str) -> int:
    """Bytes of memory that this process holds now (VmRSS) or held at its peak (VmHWM), on Linux."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(which))


def measure(quick: bool, threads: int) -> None:
    import torch
    from interleaved import ratio, spread, table, take_turns

    torch.set_num_threads(threads)
    rounds, chunk = (2, 0.02) if quick else (15, 0.2)
    gpu = torch.cuda.is_available()
    rows = []
    for case in QUICK if quick else CASES:
        built = {net: build(net, case) for net in NETS}
        columns = []
        for which in (2, 1):
            functions = {net: parts[which] for net, parts in built.items()}
            times = elapsed_turns(functions, rounds) if gpu else take_turns(functions, rounds, chunk)
            columns.append(times)
        for net in NETS:
            numbers = sum(p.numel() * (2 if p.is_complex() else 1) for p in built[net][0].parameters())
            row = [case, net, f"{numbers:,}"]
            for times in columns:
                row.append(f"{1e3 * min(times[net]):.1f}")
                row.append(f"{ratio(times, net, NETS[1]):.2f} +- {spread(times, net, NETS[1]):.2f}")
            memory = [sys.executable, __file__, "--memory", net, case]
            rows.append([*row, f"{float(subprocess.check_output(memory, text=True).split()[-1]):.0f}"])
        del built
    print(table(HEADER, rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one tiny case and one allocator, in seconds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--allocator", choices=("tuned", "plain"), help="measure with one setting only")
    parser.add_argument("--memory", nargs=2, metavar=("NET", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(arguments.threads))
    set_threads_policy()
    if arguments.memory:
        print(peak_memory(*arguments.memory))
    elif arguments.allocator:
        if arguments.allocator == "tuned":
            tune_allocator()
        measure(arguments.quick, arguments.threads)
    else:
        print(describe_machine(), flush=True)
        for allocator in ("tuned",) if arguments.quick else ("tuned", "plain"):
            print(f"\nallocator {allocator}, {arguments.threads} thread(s)\n", flush=True)
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--allocator", allocator], check=True)


if __name__ == "__main__":
    main()
