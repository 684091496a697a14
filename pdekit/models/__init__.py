"""Methods: things that learn from trajectories and forecast. One method a file."""
