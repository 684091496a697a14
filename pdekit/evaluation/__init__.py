"""Forecasts of any length in bounded memory, and their scores."""
