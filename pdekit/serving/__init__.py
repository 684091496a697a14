"""A local page on a trained run: a worker, a server bound to this machine, and what the page shows."""
