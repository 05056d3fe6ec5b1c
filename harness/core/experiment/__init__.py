"""What is asked: an experiment with the options laid over it, read, checked and planned."""
