"""A stand-in for YandexGPT that speaks its protocols byte by byte, and misbehaves on request.

    python -m yandexgpt_fake --port 8090

docs/development.md has the control routes.
"""
