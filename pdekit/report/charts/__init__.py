"""Curves, maps and colours of the report."""
