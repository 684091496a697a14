"""Equations, one in each file, written against the calculi of pdekit.calculus."""

from pdekit.pdes.acoustic_structure import AcousticStructure
from pdekit.pdes.advection import Advection
from pdekit.pdes.allen_cahn import AllenCahn
from pdekit.pdes.base import PDE, ConservationLaw, ExactSolution, SemilinearPDE, SteadyPDE
from pdekit.pdes.boussinesq import Boussinesq
from pdekit.pdes.burgers import Burgers
from pdekit.pdes.cahn_hilliard import CahnHilliard
from pdekit.pdes.chaotic_system import ChaoticSystem
from pdekit.pdes.compressible_euler import CompressibleEuler
from pdekit.pdes.cylinder_flow import CylinderFlow
from pdekit.pdes.darcy import Darcy
from pdekit.pdes.diffusion import Diffusion
from pdekit.pdes.diffusion_sorption import DiffusionSorption
from pdekit.pdes.elder import Elder
from pdekit.pdes.electro_osmosis import ElectroOsmosis
from pdekit.pdes.electro_thermal import ElectroThermal
from pdekit.pdes.gray_scott import GrayScott
from pdekit.pdes.helmholtz import Helmholtz
from pdekit.pdes.incompressible_flow import IncompressibleFlow
from pdekit.pdes.korteweg_de_vries import KortewegDeVries
from pdekit.pdes.kuramoto_sivashinsky import KuramotoSivashinsky
from pdekit.pdes.lorenz_96 import Lorenz96
from pdekit.pdes.magnetohydrodynamics import Magnetohydrodynamics
from pdekit.pdes.navier_stokes_2d import NavierStokes2D
from pdekit.pdes.navier_stokes_3d import NavierStokes3D
from pdekit.pdes.nonlinear_schroedinger import NonlinearSchroedinger
from pdekit.pdes.poisson import Poisson
from pdekit.pdes.rayleigh_benard import RayleighBenard
from pdekit.pdes.reaction_diffusion import ReactionDiffusion
from pdekit.pdes.shallow_water import ShallowWater
from pdekit.pdes.sine_gordon import SineGordon
from pdekit.pdes.smoke_channel import SmokeChannel
from pdekit.pdes.stirred_flow import StirredFlow2D
from pdekit.pdes.swift_hohenberg import SwiftHohenberg
from pdekit.pdes.thermo_fluid import ThermoFluid
from pdekit.pdes.viscous_flow import ViscousFlow
from pdekit.pdes.wave import WaveEquation

__all__ = [
    "PDE",
    "AcousticStructure",
    "Advection",
    "AllenCahn",
    "Boussinesq",
    "Burgers",
    "CahnHilliard",
    "ChaoticSystem",
    "CompressibleEuler",
    "ConservationLaw",
    "CylinderFlow",
    "Darcy",
    "Diffusion",
    "DiffusionSorption",
    "Elder",
    "ElectroOsmosis",
    "ElectroThermal",
    "ExactSolution",
    "GrayScott",
    "Helmholtz",
    "IncompressibleFlow",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "Lorenz96",
    "Magnetohydrodynamics",
    "NavierStokes2D",
    "NavierStokes3D",
    "NonlinearSchroedinger",
    "Poisson",
    "RayleighBenard",
    "ReactionDiffusion",
    "SemilinearPDE",
    "ShallowWater",
    "SineGordon",
    "SmokeChannel",
    "SteadyPDE",
    "StirredFlow2D",
    "SwiftHohenberg",
    "ThermoFluid",
    "ViscousFlow",
    "WaveEquation",
]
