"""perfcast: measure neural networks on devices, and predict latency and memory of those never measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.version import VERSION

if TYPE_CHECKING:
    from perfcast.fit.persistence.folder import load_predictor
    from perfcast.fit.predictor import Predictor

__all__ = ["Predictor", "__version__", "load_predictor"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    # Snakefiles and the command line import perfcast: what a predictor needs is loaded once it is asked for.
    if name in {"Predictor", "load_predictor"}:
        from perfcast.fit.persistence import folder

        return getattr(folder, name)
    raise AttributeError(f"module 'perfcast' has no attribute {name!r}")
