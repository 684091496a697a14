"""Recipes: how datasets are simulated, checked, and written."""
