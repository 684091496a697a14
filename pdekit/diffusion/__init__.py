"""Diffusion and flow models: noise paths, parametrisations, levels, denoisers and samplers.

One coordinate serves every Gaussian path z = signal x + sigma e: the state y = z / signal and the level
k = sigma / signal, so that y = x + k e. With the denoiser D(y, k) = E[x | y], the probability-flow equation is
dy/dk = (y - D) / k for every path. Nothing here imports the rest of pdekit.
"""
