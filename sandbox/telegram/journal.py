"""Every request a bot made: method, decoded parameters, time and outcome.

Contents: the record and its JSON. Not here: validating requests; tests do that, with a client library's
models.
"""

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Any

KEPT = 20_000


@dataclass(slots=True)
class Request:
    """One request. `outcome` is "pending", "ok", an error's description or the fault applied; times in seconds."""

    number: int
    at: float
    method: str
    parameters: dict[str, Any]
    outcome: str = "pending"
    error_code: int | None = None
    fault: str | None = None
    took: float | None = None
    result: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return the request as the control interface shows it."""
        return {
            "number": self.number, "at": self.at, "method": self.method, "parameters": self.parameters,
            "outcome": self.outcome, "error_code": self.error_code, "fault": self.fault, "took": self.took,
            "result": self.result,
        }  # fmt: skip


class Journal:
    """The last 20,000 requests, oldest first."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.requests: deque[Request] = deque(maxlen=KEPT)

    def record(self, at: float, method: str, parameters: dict[str, Any]) -> Request:
        """Record a request on arrival."""
        request = Request(next(self._numbers), at, method, parameters)
        self.requests.append(request)
        return request

    def of(self, *methods: str) -> list[Request]:
        """Return the requests of these methods (any case)."""
        wanted = {method.lower() for method in methods}
        return [request for request in self.requests if request.method.lower() in wanted]
