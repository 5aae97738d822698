"""Every mistake a user or a model can make, as one tree.

SpcompileError                what was given, what is allowed, what to do: one line
├── ModelError                the model file or module cannot be read or understood
│   └── UnsupportedOperator   a node we cannot compile, named
├── DataError                 calibration or labelled data of the wrong shape, type or content
├── TargetError               an unknown device, or a device file that does not hold together
├── NotationError             a pattern, budget, shape, duration or count that does not parse
├── PatternError              a pruner or kernel asked for a pattern it cannot do
├── ArtifactError             an artifact folder that is missing, unfinished, changed or for another machine
└── ToolError                 an outside program or package that is needed and absent, or that failed
Our own mistakes are asserts, never one of these.
"""


class SpcompileError(Exception):
    """Base of all errors that are the user's or the model's; the command line prints it as one line and exits with 2."""


class ModelError(SpcompileError):
    """The model cannot be read or understood."""


class UnsupportedOperator(ModelError):
    """A node of the model that cannot be compiled."""


class DataError(SpcompileError):
    """Calibration or labelled data that does not fit the model."""


class TargetError(SpcompileError):
    """An unknown device, or a device file that does not hold together."""


class NotationError(SpcompileError):
    """A pattern, budget, shape, duration or count that does not parse."""


class PatternError(SpcompileError):
    """A pattern asked of a pruner or kernel that cannot do it."""


class ArtifactError(SpcompileError):
    """An artifact folder that is missing, unfinished, changed, or made for another machine."""


class ToolError(SpcompileError):
    """An outside program or package that is needed and absent, or that failed."""
