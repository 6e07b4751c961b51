"""Logs, request context and metrics, the same in the API and in the worker."""
