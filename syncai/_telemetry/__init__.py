"""Traces of runs and requests by OpenTelemetry."""
