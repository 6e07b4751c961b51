"""The stores behind the service: the only package that imports redis, motor and qdrant_client."""
