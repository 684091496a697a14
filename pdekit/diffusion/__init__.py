"""Diffusion machinery: noise paths and samplers. It knows nothing of equations, and nothing here imports pdekit."""
