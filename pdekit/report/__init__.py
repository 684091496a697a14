"""From scores and a few forecasts to one HTML page that needs nothing else."""
