"""Is a request one that the real Bot API would understand? Judged by aiogram's generated models and Telegram's lengths.

Contents: the check of one recorded request, for every test that records any. Not here: the stand-in's own
opinion; it imports none of the stand-in's rules, only its text parsers, which lengths are measured by.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from sandbox.telegram.journal import Request
from sandbox.telegram.markup.html import MarkupError, parse_html
from sandbox.telegram.markup.markdown import parse_markdown, parse_markdown_v2
from sandbox.telegram.markup.text import utf16_length
from tests.sandbox.telegram.lazy_aiogram import aiogram, built

PARSERS = {"html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_markdown}
MODELS = {name.lower(): getattr(aiogram.methods, name) for name in aiogram.methods.__all__}
# The longest allowed, in characters: https://core.telegram.org/bots/api
LENGTHS = {
    ("answercallbackquery", "text"): 200,
    ("sendmessage", "text"): 4096,
    ("editmessagetext", "text"): 4096,
    ("setwebhook", "secret_token"): 256,
    ("createforumtopic", "name"): 128,
}
CAPTION = 1024
CALLBACK_DATA_BYTES = 64
COMMANDS = 100


def problems(request: Request) -> list[str]:
    """Return what is wrong with a request, in plain words; nothing where it is fine."""
    method = request.method.lower()
    model = MODELS.get(method)
    if model is None:
        return [f"{request.method}: no such method"]
    parameters = _with_files(request.parameters)
    try:
        parsed = built(model).model_validate(parameters)
    except ValidationError as error:
        found = []
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"])
            found.append(f"{request.method}: {place}: {item['msg']}")
        return found
    found = [f"{request.method}: unknown field {place}" for place in _extras(parsed, "")]
    try:
        return found + [f"{request.method}: {problem}" for problem in _lengths(method, parameters)]
    except MarkupError as error:
        return [*found, f"{request.method}: mark-up: {error}"]


def all_problems(requests: list[Request]) -> list[str]:
    """Return what is wrong with any of the requests."""
    return [problem for request in requests for problem in problems(request)]


def _with_files(recorded: dict[str, Any]) -> dict[str, Any]:
    """Put a file object where one was uploaded; drop uploads that a field refers to by attach://."""
    referred = {text.removeprefix("attach://") for text in _texts(recorded) if text.startswith("attach://")}
    parameters = {}
    for name, value in recorded.items():
        if isinstance(value, dict) and "upload" in value:
            if name not in referred:
                parameters[name] = aiogram.types.BufferedInputFile(b"", value["upload"])
        else:
            parameters[name] = value
    return parameters


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _extras(value: Any, place: str) -> Iterator[str]:
    """Name every field that a model did not know, at any depth."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{place}{name}"
        for name in type(value).model_fields:
            yield from _extras(getattr(value, name), f"{place}{name}.")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _extras(inner, f"{place}{number}.")


def _lengths(method: str, parameters: dict[str, Any]) -> Iterator[str]:
    for (named, field), longest in LENGTHS.items():
        if named == method and field in parameters:
            length = _rendered_length(str(parameters[field]), parameters.get("parse_mode") if field == "text" else None)
            if not 0 < length <= longest:
                yield f"{field} has {length} characters of 1–{longest}"
    yield from _caption_problems(parameters)
    if isinstance(parameters.get("media"), dict):
        yield from _caption_problems(parameters["media"])
    markup = parameters.get("reply_markup")
    for row in (markup or {}).get("inline_keyboard", []) if isinstance(markup, dict) else []:
        for button in row:
            size = len(button["callback_data"].encode()) if "callback_data" in button else 1
            if not 0 < size <= CALLBACK_DATA_BYTES:
                yield f"callback_data {button['callback_data']!r} has {size} bytes of 1–{CALLBACK_DATA_BYTES}"
    if method == "setmycommands" and len(parameters.get("commands", [])) > COMMANDS:
        yield f"more than {COMMANDS} commands"


def _caption_problems(holder: dict[str, Any]) -> Iterator[str]:
    length = _rendered_length(str(holder.get("caption") or ""), holder.get("parse_mode"))
    if length > CAPTION:
        yield f"caption has {length} characters of 0–{CAPTION}"


def _rendered_length(text: str, parse_mode: Any) -> int:
    parser = PARSERS.get(str(parse_mode or "").lower())
    return utf16_length(parser(text)[0] if parser else text)
