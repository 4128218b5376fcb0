"""How artifacts, runs of stages and this software are called in every document of an export."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

SOFTWARE = "urn:stemma"
"""This software, where a format asks for a URI; Stemma has no address on the web."""
ARTIFACT = "urn:stemma:artifact:"


def artifact_urn(dvc_id: str) -> str:
    """The URI of an artifact or raw input."""
    return f"{ARTIFACT}{dvc_id}"


def raw_file_urn(md5: str) -> str:
    """The URI of a raw file."""
    return f"urn:stemma:file:{md5}"


def uuid_of(*parts: str) -> str:
    """The UUID of a thing with these names; the same names give the same UUID."""
    return str(uuid5(NAMESPACE_URL, ":".join([SOFTWARE, *parts])))


def timestamp(when: datetime) -> str:
    """A time in UTC as RFC 3339 has it, to the second."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
