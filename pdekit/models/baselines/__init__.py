"""Baselines: methods that every surrogate is compared with."""
