"""What is asked: an experiment, read, checked and planned."""
