"""What CI does beside calling Bazel."""
