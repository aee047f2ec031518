"""What comes next in a run, and what the outcome of a step means."""
