"""TR2M: metric depth from one picture and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tr2m.experiment.load import load_model
    from tr2m.inference.predict import predict, predict_batch
    from tr2m.models.tr2m import TR2M
    from tr2m.sharing.hub import push_to_hub

__version__ = "0.1.0"
__all__ = ["TR2M", "load_model", "predict", "predict_batch", "push_to_hub"]


def __getattr__(name: str) -> Any:
    """Import on first use: `import tr2m` alone must not take the seconds that torch and transformers take."""
    if name == "TR2M":
        from tr2m.models.tr2m import TR2M

        return TR2M
    if name == "load_model":
        from tr2m.experiment.load import load_model

        return load_model
    if name in ("predict", "predict_batch"):
        from tr2m.inference import predict

        return getattr(predict, name)
    if name == "push_to_hub":
        from tr2m.sharing.hub import push_to_hub

        return push_to_hub
    raise AttributeError(f"module 'tr2m' has no attribute {name!r}")
