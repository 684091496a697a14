"""Samplers: each is one small frozen class that is called with (denoise, y, levels, noise) and returns x."""
