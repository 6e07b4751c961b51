"""Which backend the settings ask for."""

from __future__ import annotations

from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.model_directory import locate_model
from explanation_service.settings import Settings


def load_encoder(settings: Settings) -> PassageEncoder:
    """The model of this worker, loaded: 2 to 5 s for a transformer.

    Raises ModelUnusable with one sentence. A backend's libraries are imported only where it is the
    one that is asked for: torch alone takes 300 MB.
    """
    if settings.fasttext_model_path is not None:
        from explanation_service.indexing.backends.static import StaticEncoder

        return StaticEncoder(settings.fasttext_model_path)
    if settings.embedding_backend == "torch":
        from explanation_service.indexing.backends.torch import TorchEncoder

        return TorchEncoder(locate_model(settings), settings.embedding_precision)
    from explanation_service.indexing.backends.onnx import OnnxEncoder, Precision

    return OnnxEncoder(locate_model(settings), Precision(settings.embedding_backend))
