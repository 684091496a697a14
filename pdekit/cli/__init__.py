"""The command line: help, choices, and error messages."""
