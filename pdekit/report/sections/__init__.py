"""Sections of the report: one file for each family of scores."""
