"""Inference: coefficients and solutions from sparse observations, with a trained joint prior."""
