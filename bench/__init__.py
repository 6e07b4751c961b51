"""Measurements: programs to run by hand and as gates, no part of the service."""
