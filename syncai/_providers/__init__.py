"""The providers as data: a server that speaks a known wire format is one more row, and nothing else."""
