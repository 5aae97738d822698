"""What every family of targets has in common."""

from typing import ClassVar, Protocol


class Device(Protocol):
    """A frozen dataclass that a device file fills field by field. A field with a default may be left out; `tuple[SomeDataclass, ...]` is a list of tables.

    Numbers that do not go together raise TargetError from __post_init__; the file's name is put before it.
    """

    ALLOWED: ClassVar[dict[str, tuple[str, ...]]]  # field -> the texts it may hold

    name: str
    description: str
    family: str  # which cost model and which toolchain of the compiler read the numbers
    clock_hz: float
    sources: tuple[tuple[str, str], ...]  # (field, where its value comes from)

    def source(self, name: str) -> str:
        """Where the number called `name` ("clock_hz", "caches.1.bytes") comes from."""
        return dict(self.sources)[name]

    @property
    def peak_flops(self) -> float:
        """Dense operations a second, multiply-add = 2, in the family's own type: of one CPU core, of a whole accelerator."""
