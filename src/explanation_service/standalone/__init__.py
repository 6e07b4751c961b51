"""The whole service on one machine: embedded stores, API and worker under one supervisor."""
