"""How a flow run begins: anew from this clone, or again from what it began from, perhaps on another machine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from prefect import get_run_logger, runtime
from prefect.context import FlowRunContext

from flows.hardware import resolve
from flows.judges import with_judges
from flows.processes import check_shares
from flows.settings import FlowSettings, stage_values
from stemma.config import Values, parse_settings
from stemma.lineage.begun import Begun, find_begun, forget_begun, record_begun
from stemma.lineage.exchange import Exchange
from stemma.lineage.runs import FLOW_RUN, Run, list_runs
from stemma.lineage.sharing import shared_through
from stemma.lineage.start import Start, fetch_record, start_here, start_of_worker
from stemma.lineage.user_files import DATA, input_names
from stemma.lineage.workspace import Workspace, check_unused, pull_raw

STAGES_OF = {"ppo": "rlhf", "dpo": "dpo"}
"""The flow whose stages of its own in dvc.yaml make a policy; a run's params.yaml names that flow only."""


@dataclass(frozen=True)
class Beginning:
    """What a flow run works from."""

    start: Start
    settings: FlowSettings
    params: Values
    """The params.yaml of its workspace."""
    files: list[Path]
    """The user's files to take in; none where the run took them in before."""
    earlier: list[Run]
    """The runs on record, newest first."""
    again: bool
    """Whether it began before, and this is another attempt of the same flow run."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What was put on record of its beginning besides."""


def begin(root: Path, policy: str, settings: FlowSettings, name: str) -> Beginning:
    """Settle what a flow run works from; one that began before goes on from the same code and settings.

    Raises WorkspaceError where another run has its name, or a remote does not tell whether it began elsewhere;
    SettingsError where the stages cannot share their work among the processes; SettingsError and ArtifactError where a
    judge is missing or damaged.
    """
    fetch_record(root)
    earlier = list_runs(root)
    check_unused([run for run in earlier if run.trailers.get(FLOW_RUN) != flow_run_id()], name)
    begun = find_begun(root, flow_run_id()) if began_before() else None
    if begun:
        return _again(begun, settings, earlier)
    start = start_of_worker(root) if is_deployed() else start_here(root)
    settings = settings.model_copy(update={"machine": resolve(settings.machine)})
    check_shares(settings, policy)
    settings, files = _with_inputs(root, with_judges(root, settings))
    params = stage_values(settings)
    params["flows"] = {known: [known] if known == STAGES_OF[policy] else [] for known in STAGES_OF.values()}
    return Beginning(start, settings, params, files, earlier, again=False)


def keep_beginning(
    beginning: Beginning, workspace: Workspace, facts: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Put on record what a run of a deployment begins from; bring raw inputs back to one that goes on elsewhere."""
    if beginning.again:
        say(f"run {workspace.name} goes on from what it began from")
        pull_raw(workspace)
    else:
        if beginning.start.unheard:
            words = "this run starts from its worker's clone as it is, and newer code may have been pushed"
            get_run_logger().warning(f"{words}: {beginning.start.unheard}")
        keep_settings(workspace, facts, say)


def keep_settings(workspace: Workspace, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Put on record what the workspace of a deployment's run holds, for whoever goes on with it."""
    if not is_deployed():
        return
    unseen = record_begun(workspace, flow_run_id(), facts)
    if unseen:
        say(f"no other machine could go on with this run, were this one to die: {unseen}")


def drop_beginning(root: Path) -> None:
    """Take the beginning off the record: the last act of a flow run that has ended by itself, well or not."""
    if is_deployed():
        forget_begun(root, flow_run_id())


@contextmanager
def going_on_after_a_kill(root: Path) -> Iterator[None]:
    """Keep the beginning on record while the flow run is under way; where it fails by itself, it will not go on."""
    try:
        yield
    except Exception:
        drop_beginning(root)
        raise


def exchange_of(root: Path, beginning: Beginning, say: Callable[[str], None]) -> Exchange | nullcontext[None]:
    """The exchange with other machines, where the project is shared; only a deployment's run may go on elsewhere."""
    if not shared_through(root):
        return nullcontext()
    return Exchange(root, say, sends_steps=is_deployed(), resends=beginning.again)


def flow_run_id() -> str:
    """The id of the present flow run, which it keeps however often it is started again."""
    return str(runtime.flow_run.id)


def is_deployed() -> bool:
    """Whether a worker runs the present flow run; no server is asked, as Prefect's own way to tell would."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None


def began_before() -> bool:
    """Whether the present flow run was at work before; Prefect counts no beginning after a suspension."""
    context = FlowRunContext.get()
    policy = context.flow_run.empirical_policy if context and context.flow_run else None
    return int(runtime.flow_run.run_count or 0) > 1 or bool(policy and policy.pause_keys)


def _again(begun: Begun, settings: FlowSettings, earlier: list[Run]) -> Beginning:
    params = dict(begun.params)
    kept = {key: params[key] for key in type(settings).model_fields if key in params}
    settled = parse_settings(type(settings), kept, "the params.yaml that the run began with")
    return Beginning(begun.start, settled, params, [], earlier, again=True, facts=begun.facts)


def _with_inputs(root: Path, settings: FlowSettings) -> tuple[FlowSettings, list[Path]]:
    """The settings with the user's files as they will lie in the workspace, and the files to take in."""
    files = [(root / file).resolve() for file in settings.data.files]
    data = settings.data.model_copy(update={"files": tuple(f"{DATA}/{name}" for name in input_names(files))})
    return settings.model_copy(update={"data": data}), files
