"""The console: one HTML page without any asset from outside."""
