"""Every error a person may be told about.

StemmaError
├── SettingsError     a setting is unknown, malformed or out of range
├── DataError         records are unreadable, empty, or rejected beyond the threshold
├── ArtifactError     an artifact is missing, or its bytes are not the recorded ones
├── WorkspaceError    Git, DVC or the disk cannot hold the run
├── ServiceError      a server or a port cannot be used
├── LabelError        the label store cannot be used, or it cannot do what was asked of it
├── TrainingError     training diverged, or what it made is no better than chance
├── OutOfMemoryError  a stage does not fit the memory
└── BudgetError       a run has spent its budget

Each message names the thing, the place and the remedy. The command line prints it without a traceback and exits with
status 2.
"""


class StemmaError(Exception):
    """Base of every error that is told to a person as one message."""


class SettingsError(StemmaError):
    """A setting is unknown, malformed or out of range."""


class DataError(StemmaError):
    """Records are unreadable, empty, or rejected beyond the threshold."""


class ArtifactError(StemmaError):
    """An artifact is missing, or its bytes are not the recorded ones."""


class WorkspaceError(StemmaError):
    """Git, DVC or the disk cannot hold the run."""


class ServiceError(StemmaError):
    """A server or a port cannot be used."""


class LabelError(StemmaError):
    """The label store cannot be used, or it cannot do what was asked of it."""


class TrainingError(StemmaError):
    """Training diverged, or what it made is no better than chance."""


class OutOfMemoryError(StemmaError):
    """A stage does not fit the memory of the machine, or of its GPU."""


class BudgetError(StemmaError):
    """A run has spent its budget."""
