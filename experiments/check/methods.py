"""The methods of the study: small versions of the models of pdekit, for problems in time and for steady ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pdekit.diffusion.levels import LogLevels
from pdekit.fields import Problem
from pdekit.models.base import Surrogate
from pdekit.models.baselines.dmd import DynamicModes
from pdekit.models.baselines.nearest import Nearest
from pdekit.models.baselines.pod import PODRegression
from pdekit.models.baselines.reservoir import Reservoir
from pdekit.models.bridge import InterpolantBridge
from pdekit.models.crps_ensemble import CRPSEnsemble
from pdekit.models.diffusion_pde import DiffusionPDE
from pdekit.models.one_step import OneStep
from pdekit.models.operator import Operator
from pdekit.models.pde_refiner import PDERefiner
from pdekit.models.residual_diffusion import ResidualDiffusion
from pdekit.models.wdno import WDNO
from pdekit.nets.branch import ConvolutionalBranch
from pdekit.nets.deeponet import DeepONet, PODDeepONet, Trunk
from pdekit.nets.dilated_resnet import DilatedResNet
from pdekit.nets.fno import FNO
from pdekit.nets.heads import Headed
from pdekit.nets.neuralop import tfno, uno
from pdekit.nets.unet import UNet

WIDTH, MODES, LEVELS = 12, 8, 4
FOURIER = partial(FNO, modes=MODES, width=WIDTH, n_layers=3)
CONVOLUTIONS = partial(UNet, width=WIDTH, multipliers=(1, 2))
DILATED = partial(DilatedResNet, width=WIDTH, blocks=1)
SENSORS = partial(ConvolutionalBranch, width=WIDTH)

NETS = {
    "FNO": FOURIER,
    "FNO, heads": partial(Headed, net=FOURIER, features=WIDTH, hidden=WIDTH),
    "TFNO": partial(tfno, modes=MODES, width=WIDTH, n_layers=3, rank=0.3),
    "UNO": partial(uno, modes=MODES, width=WIDTH),
    "U-Net": CONVOLUTIONS,
    "Dilated ResNet": DILATED,
}
GENERATIVE: dict[str, Callable[[Problem], Surrogate]] = {
    "PDE-Refiner": partial(PDERefiner, net=CONVOLUTIONS, n_refinements=2),
    "CRPS ensemble": partial(CRPSEnsemble, net=CONVOLUTIONS),
    "residual diffusion": partial(
        ResidualDiffusion, base=partial(OneStep, net=CONVOLUTIONS), net=CONVOLUTIONS, levels=LogLevels(2, 0.05, 20.0)
    ),
    "DiffusionPDE": partial(DiffusionPDE, net=CONVOLUTIONS, levels=LogLevels(LEVELS)),
    "WDNO": partial(WDNO, net=CONVOLUTIONS, levels=LogLevels(LEVELS)),
}
COMMON: dict[str, Callable[[Problem], Surrogate]] = {
    **{name: partial(OneStep, net=net) for name, net in NETS.items()},
    "DeepONet": partial(Operator, net=partial(DeepONet, branch=SENSORS, trunk=Trunk(32, 64, 3, 4))),
    "POD-DeepONet": partial(Operator, net=partial(PODDeepONet, branch=SENSORS, n_modes=24)),
}
IN_TIME = COMMON | {
    "dynamic modes": DynamicModes,
    "reservoir": Reservoir,
    "bridge": partial(InterpolantBridge, net=CONVOLUTIONS, n_calls=LEVELS),
    **GENERATIVE,
}
STEADY = COMMON | {"POD": PODRegression, "nearest": Nearest, **GENERATIVE}
METHODS = {**IN_TIME, **STEADY}
MANY_CALLS = ("bridge", *GENERATIVE)
"""Methods that call their net several times for a step, or for several members."""
