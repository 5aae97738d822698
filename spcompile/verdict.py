"""A yes, or a no that carries its reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Truthy when `reason` is empty. A refusal keeps its reason all the way to the report.

    >>> bool(Verdict.yes()), bool(Verdict.no("3 columns are not a multiple of 4"))
    (True, False)
    """

    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason

    @classmethod
    def yes(cls) -> "Verdict":
        return cls()

    @classmethod
    def no(cls, reason: str) -> "Verdict":
        assert reason, "a refusal needs a reason"
        return cls(reason)
