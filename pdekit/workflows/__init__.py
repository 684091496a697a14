"""What an entry point does, without the command line: a training run and an evaluation."""
