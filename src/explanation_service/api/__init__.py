"""The HTTP API: no ML library, up in about a second, answers while every worker is dead."""
