"""What writes parts of the documentation."""
