"""The wire formats that `ModelServer` speaks."""
