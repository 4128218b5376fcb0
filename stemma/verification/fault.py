"""What an audit can find wrong, and where."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong."""

    CACHE_MISSING = "missing in the cache"
    CACHE_CHANGED = "changed in the cache"
    REMOTE_MISSING = "missing on the remote"
    REMOTE_CHANGED = "changed on the remote"
    RAW = "raw data"
    MANIFEST = "manifest"
    EDGE = "edge"
    """An artifact's manifest vouches for another input than the record names."""
    COMMIT = "commit"
    LOCK = "dvc.lock"
    CODE = "code"
    SETTINGS = "settings"
    METRICS = "metrics"
    INDEX = "index"
    EXPERIMENT = "experiment"
    REGISTRY = "registry"
    GIT_REMOTE = "Git remote"
    VERSION = "MLflow version"
    TAG = "MLflow tag"
    ALIAS = "MLflow alias"
    SERVED_LINK = "served link"
    SERVED_FILE = "served file"
    WORKING_TREE = "working tree"


IN_CACHE = frozenset({Kind.CACHE_MISSING, Kind.CACHE_CHANGED})
ON_REMOTE = frozenset({Kind.REMOTE_MISSING, Kind.REMOTE_CHANGED})
IN_MLFLOW = frozenset({Kind.VERSION, Kind.TAG, Kind.ALIAS})


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    kind: Kind
    place: str
    """The path, ref or address."""
    words: str
    """What is wrong with it."""
    remedy: str
    artifact: str = ""
    """DVC id of the artifact that it is about; empty where it is about none."""
    child: str = ""
    """DVC id of the other end, where an edge is wrong."""
    oid: str = ""
    """The object that is missing or changed."""
