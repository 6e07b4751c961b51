"""Qdrant's REST API over the in-process engine qdrant-edge-py, so that no Qdrant server is needed.

The rule that only `explanation_service.stores` imports qdrant_client is about our clients. This
package is a server: it parses request bodies with the models that the client serialises.
"""
