"""Where the documents of an export lie, beside the model's own files."""

from collections.abc import Iterable

from stemma.errors import ArtifactError

CARD = "README.md"
FOLDER = "provenance"
STATEMENT = f"{FOLDER}/statement.dsse.json"
PUBLIC_KEY = f"{FOLDER}/signer.pub.pem"
BOM = f"{FOLDER}/bom.cdx.json"
OPENLINEAGE = f"{FOLDER}/openlineage.ndjson"
PROV = f"{FOLDER}/prov.json"
TRACE = f"{FOLDER}/trace.json"


def check_names(files: Iterable[str]) -> None:
    """Raise ArtifactError where a model's file would lie where a document goes."""
    taken = sorted(name for name in files if name == CARD or name.split("/")[0] == FOLDER)
    if taken:
        raise ArtifactError(f"the model has a file {taken[0]!r}, where an export has a document of its own; rename it")
