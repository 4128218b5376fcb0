"""A round of iterative RLHF: the champion → sample → ai_label → label → judge → … → eval → register → promote."""

from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from flows import dpo, rlhf
from flows.acts import promote_model
from flows.beginning import drop_beginning, going_on_after_a_kill
from flows.form_settings import from_form
from flows.people.suspension import Waiting
from flows.pipeline import run_name, run_pipeline
from flows.planning.dry_run import Planned
from flows.result_page import FlowReport, show_result
from flows.round import begin_round
from flows.settings import RetrainSettings
from stemma.lineage.git import find_project
from stemma.lineage.runs import find_run
from stemma.lineage.sharing import SilentRemoteError
from stemma.promotion.act import RefusedError

METHODS = {"rlhf": (rlhf.STAGES, "ppo"), "dpo": (dpo.STAGES, "dpo")}
"""The stages of each method, and the one that makes the policy."""
TRIES_TO_PROMOTE = 5
"""With a back-off of 2, 4, 8 and 16 s: a remote that is away longer is for a person to look at."""

DEFAULTS = RetrainSettings()


class RoundReport(FlowReport):
    """What a finished round made, and what became of it."""

    round: int
    parent: str
    """The version that the round started from."""
    verdict: str
    """Promoted, ChampionKept or PromotionWaits."""
    words: str
    """Why."""


@flow(name="retrain", flow_run_name=run_name)
def retrain(
    settings: RetrainSettings = DEFAULTS, name: str = "", dry_run: bool = False, profile: str = ""
) -> State[RoundReport] | State[Waiting] | State[Planned]:
    """Train the champion on fresh labels of its own answers, and let the new policy serve where the gates let it.

    Args:
        settings: Every stage's settings; round says how it goes on from what is there.
        name: The run's name; empty lets Prefect choose one.
        dry_run: Tell the plan, and run nothing.
        profile: A named set of settings from profiles/, under whatever is changed here.
    """
    root = find_project(Path.cwd())
    settings = from_form(settings, profile)
    begun = begin_round(root, settings)
    stages, policy = METHODS[settings.round.method]
    ended = run_pipeline("retrain", stages, policy, begun.settings(settings), name, dry_run, begun)
    if not isinstance(ended, FlowReport):
        return ended
    version = f"{ended.model}/{ended.version}"
    # What stands on record: a flow run that went on after a while is still the round that it began as.
    begun = begun.as_begun(find_run(root, ended.run).trailers)
    reason = f"round {begun.number}: {version} beats {begun.parent}"
    with going_on_after_a_kill(root):
        verdict, words = _decide(root, version, settings.round.alias, reason)
    report = RoundReport(**ended.model_dump(), round=begun.number, parent=begun.parent, verdict=verdict, words=words)
    get_run_logger().info(f"{verdict}: {words}")
    show_result(root, report, verdict, words)
    drop_beginning(root)
    return Completed(name=verdict, message=words, data=report)


def _decide(root: Path, version: str, alias: str, reason: str) -> tuple[str, str]:
    """Promote the policy if the gates let it; returns the verdict and its reason in words.

    Raises StemmaError where something else is in the way, such as a damaged file.
    """
    promote = task(
        name="promote",
        task_run_name="promote",
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=TRIES_TO_PROMOTE - 1,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=0.5,
        retry_condition_fn=_may_pass,
    )(promote_model)
    try:
        return "Promoted", promote(root, version, alias, reason, force=False)
    except RefusedError as error:
        return "ChampionKept", str(error)
    except SilentRemoteError as error:
        return "PromotionWaits", f'{error}; then `stemma promote {version} --to {alias} --reason "{reason}"`'


def _may_pass(_task: object, _run: object, state: State[object]) -> bool:
    """Whether a failed promotion may do better a little later: the remote was silent."""
    return isinstance(state.result(raise_on_failure=False), SilentRemoteError)
