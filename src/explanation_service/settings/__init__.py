"""What the environment variables say, checked once at the start."""

from explanation_service.settings.model import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]
