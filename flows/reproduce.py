"""Make a model's whole tree again from raw data, and compare every hash."""

from contextlib import closing
from pathlib import Path

from prefect import flow, get_run_logger

from flows.heartbeat import heartbeats
from flows.pages import show_act
from stemma.errors import ArtifactError
from stemma.lineage.git import find_project


@flow(name="reproduce", flow_run_name="reproduce {model}")
def reproduce(model: str) -> str:
    """Rebuild a model's whole tree with an empty cache and compare every hash; fails where something differs.

    What other clones did is heard first, so that policy@champion is the champion of now; it also fails where the Git
    remote does not answer.

    Args:
        model: policy@champion, policy/7, a run, an experiment or a DVC id.
    """
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.registering import catch_up_all
    from stemma.lineage.store import Store
    from stemma.reproduction import reproduce as audit

    root = find_project(Path.cwd())
    with heartbeats():
        catch_up_all(root)  # before the index is opened, which reads the runs that are there then
        with closing(open_index(root)) as index, Store(root) as store:
            found = find_model(root, index, model)
            told = audit.reproduce(root, index, store, found, get_run_logger().info)
    words = audit.page(found, told)
    show_act("reproduce", f"{model} made again", words, get_run_logger().warning)
    if told.difference:
        raise ArtifactError(words)
    return words
