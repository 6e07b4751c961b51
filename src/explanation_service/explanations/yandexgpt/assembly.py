"""The language model that the settings ask for."""

from __future__ import annotations

from explanation_service.explanations.language_model import DisabledLanguageModel, LanguageModel
from explanation_service.explanations.yandexgpt import native, openai
from explanation_service.explanations.yandexgpt.client import YandexGpt
from explanation_service.explanations.yandexgpt.credentials import Credentials
from explanation_service.explanations.yandexgpt.slots import SharedSlots, Slots
from explanation_service.explanations.yandexgpt.transport import Transport
from explanation_service.explanations.yandexgpt.wire import Parameters, Wire
from explanation_service.settings import Settings
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)


def create_language_model(settings: Settings, slots: SharedSlots) -> LanguageModel:
    """YandexGPT where it is configured; `slots` are those that all replicas share."""
    if not settings.yandexgpt_configured:
        log.info("language model: off, explanations come from the rules")
        return DisabledLanguageModel()
    parameters = parameters_of(settings)
    wire: Wire
    if settings.yandexgpt_protocol == "openai":
        wire, address = openai.OpenAiWire(parameters), openai.BASE_URL
    else:
        wire, address = native.NativeWire(parameters), native.BASE_URL
    transport = Transport(
        settings.yandexgpt_base_url or address, wire.headers, Credentials.of(settings)
    )
    log.info("language model: yandexgpt", model=parameters.model_uri)
    return YandexGpt(parameters, wire, transport, Slots(slots))


def parameters_of(settings: Settings) -> Parameters:
    """YANDEXGPT_MODEL is a name (yandexgpt-lite), one with a branch (yandexgpt-lite/rc) or a whole
    gpt:// URI."""
    folder, model = settings.yandexgpt_folder_id or "", settings.yandexgpt_model
    uri = model
    if "://" not in model:
        uri = f"gpt://{folder}/{model}" if "/" in model else f"gpt://{folder}/{model}/latest"
    return Parameters(
        folder=folder,
        model=model,
        model_uri=uri,
        temperature=settings.yandexgpt_temperature,
        max_tokens=settings.yandexgpt_max_tokens,
    )
