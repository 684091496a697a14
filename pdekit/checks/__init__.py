"""Checks of a trained surrogate as an operator: symmetries, conservation, grids, locality, engineering, domain."""
