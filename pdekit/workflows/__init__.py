"""Work of the entry points, without the command line: a training run and an evaluation."""
