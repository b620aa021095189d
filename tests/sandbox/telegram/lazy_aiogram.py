"""aiogram without the building of all its models at its import: three seconds in every worker of the tests.

Contents: the import, and the building of those models that are used. To be imported before aiogram itself.
"""

import functools
from typing import Any, Literal, Optional, Union

import pydantic

_rebuild = pydantic.BaseModel.__dict__["model_rebuild"]
pydantic.BaseModel.model_rebuild = classmethod(lambda cls, **_: None)  # type: ignore[assignment]
try:
    import aiogram.methods
    import aiogram.types
    from aiogram.client.default import Default
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.exceptions import TelegramAPIError, TelegramMigrateToChat, TelegramRetryAfter
finally:
    pydantic.BaseModel.model_rebuild = _rebuild  # type: ignore[method-assign]

__all__ = [
    "AiohttpSession", "TelegramAPIError", "TelegramAPIServer", "TelegramMigrateToChat", "TelegramRetryAfter",
    "aiogram", "build_all", "built",
]  # fmt: skip


@functools.cache
def names() -> dict[str, Any]:
    """Return what the annotations of aiogram's types mean."""
    types = {name: getattr(aiogram.types, name) for name in aiogram.types.__all__}
    return {"List": list, "Optional": Optional, "Union": Union, "Literal": Literal, "Default": Default, **types}


@functools.cache
def built(model: type[pydantic.BaseModel]) -> type[pydantic.BaseModel]:
    """Build a model on its first use."""
    model.model_rebuild(_types_namespace=names())
    return model


@functools.cache
def build_all() -> None:
    """Build everything, as aiogram does by itself: for whoever runs its bot."""
    for name in aiogram.types.__all__:
        if hasattr(found := getattr(aiogram.types, name), "model_rebuild"):
            built(found)
    for name in aiogram.methods.__all__:
        if hasattr(found := getattr(aiogram.methods, name), "model_rebuild"):
            built(found)
