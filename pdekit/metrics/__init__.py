"""Measures of a forecast: pure functions that reduce space only, and summaries that say what they reduce."""
