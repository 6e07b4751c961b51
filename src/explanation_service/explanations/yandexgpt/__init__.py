"""YandexGPT behind the interface of explanations/language_model.py."""
