"""The rows of the table and their output. Runs nothing."""

from dataclasses import dataclass, field

HEADINGS = ("fault", "layer named", "detected", "back", "attempts", "errors", "alerts", "left behind", "verdict")


@dataclass(slots=True)
class Row:
    """The result of one fault.

    detected: seconds from the fault until the product reported it, None if nothing was to be reported. back: seconds
    from when the cause was gone until CONNECTED again. attempts, errors: the highest values in the log.
    wrong: violations of the contract, empty for a good row.
    """

    fault: str
    layer: str = "–"
    detected: float | None = None
    back: float | None = None
    attempts: int = 0
    errors: int = 0
    alerts: int = 0
    left: str = "0"
    wrong: list[str] = field(default_factory=list)
    skipped: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        return ("WRONG: " + "; ".join(self.wrong)) if self.wrong else "ok" + (f" ({self.note})" if self.note else "")

    def cells(self) -> tuple[str, ...]:
        return (
            self.fault, self.layer, _seconds(self.detected), _seconds(self.back), str(self.attempts), str(self.errors),
            str(self.alerts), self.left, self.verdict,
        )  # fmt: skip


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def line(row: Row) -> str:
    """A row for people who watch."""
    fault, layer, detected, back, attempts, errors, alerts, left, verdict = row.cells()
    return (
        f"{fault:<38} {layer:<34.34} detected {detected:>7}  back {back:>7}  attempts {attempts}  errors {errors}"
        f"  alerts {alerts}  left {left}  {verdict}"
    )


def markdown(rows: list[Row]) -> str:
    """All rows as a Markdown table."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    told = ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines]
    told.insert(1, "|" + " --- |" * len(HEADINGS))
    return "\n".join(told)
