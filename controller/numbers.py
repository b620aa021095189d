"""Phone numbers as people may see them in logs and alerts. Parsing what people type lives in `handlers.numbers`."""


def mask(number: str) -> str:
    """Return an E.164 number with all but its last four digits hidden, its length too: `•••4567`."""
    return "•••" + number[-4:]
