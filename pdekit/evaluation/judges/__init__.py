"""Families of scores: one file each."""
