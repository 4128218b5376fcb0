"""Is a policy of AI labels as good as one of people's? Both on the same prompts, and the judge that gave the labels.

A prompt counts once, with the mean gold score of its answers; a difference is the AI-labelled policy's mean less the
other's. Its interval over prompts says nothing of another seed, so the seeds' means have an interval of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from stemma.errors import ArtifactError
from stemma.evaluation.intervals import Interval, mean_interval
from stemma.evaluation.side_by_side import SideBySide
from stemma.judging.check import Check, check
from stemma.judging.labelled import read_labels, trials
from stemma.lineage.runs import artifact_id, find_run
from stemma.lineage.store import Store
from stemma.records.types import Prompt, Response
from stemma.world.gold import gold_score

MARGIN = 0.05
"""Gold score by which a policy may be worse and still count as good; from the worst to the best answer it is 2.3."""
MODES = ("sampled", "greedy")
DUEL_HEADER = ("seed", "AI − people", "answers", "gold score", "gold score difference", "within 0.05")
JUDGE_HEADER = ("seed", "who", "against", "pairs", "agreement", "says the first", "changes with order")

Pairs = dict[tuple[str, str, str], float]
"""Who prefers the first of two answers, from 0 to 1; by prompt, first and second, either way round."""


@dataclass(frozen=True)
class Duel:
    """One AI-labelled policy against one of people's labels, in a seed's world."""

    seed: int
    title: str
    policy: str
    """Both policies' stage."""
    ai_run: str
    people_run: str


def duel_rows(root: Path, duels: Sequence[Duel]) -> list[tuple[str, ...]]:
    """Each duel's mean gold scores and their difference, and all seeds' together."""
    rows: list[tuple[str, ...]] = []
    for mode in MODES:
        found: dict[str, list[list[float]]] = {}
        for duel in duels:
            with Store(root) as store:
                ai, people = (
                    mean_scores(root, store, run, duel.policy, mode) for run in (duel.ai_run, duel.people_run)
                )
            gaps = [ai[prompt] - people[prompt] for prompt in ai]
            found.setdefault(duel.title, []).append(gaps)
            means = f"{fmean(people.values()):.3f} → {fmean(ai.values()):.3f}"
            rows.append((str(duel.seed), duel.title, mode, means, *told(mean_interval(gaps))))
        rows += [row for title, gaps in found.items() if len(gaps) > 1 for row in summaries(title, mode, gaps)]
    return rows


def summaries(title: str, mode: str, gaps: Sequence[Sequence[float]]) -> list[tuple[str, ...]]:
    """Several seeds' differences together: over all prompts, and over the seeds' means."""
    over_prompts = mean_interval([gap for seed in gaps for gap in seed])
    over_seeds = mean_interval([fmean(seed) for seed in gaps])
    return [
        ("all", title, mode, "over prompts", *told(over_prompts)),
        ("all", title, mode, "over seeds", *told(over_seeds)),
    ]


def told(gap: Interval) -> tuple[str, str]:
    """A difference with its interval, and whether the policy is as good, within the margin."""
    return f"{gap.estimate:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]", "yes" if gap.low > -MARGIN else "not shown"


def mean_scores(root: Path, store: Store, run: str, policy: str, mode: str) -> dict[str, float]:
    """The mean gold score of a run's policy, by prompt."""
    scores: dict[str, list[float]] = {}
    for line in lines(root, store, run, f"eval_{policy}", "answers.jsonl"):
        row = SideBySide.model_validate_json(line)
        if row.mode == mode:
            scores.setdefault(row.prompt_id, []).append(row.tuned.score)
    return {prompt: fmean(row) for prompt, row in scores.items()}


def judge_rows(root: Path, seed: int, ai_run: str, people_run: str) -> list[tuple[str, ...]]:
    """How often judge and people agree with the gold rule on all sampled pairs of a seed, and with each other."""
    with Store(root) as store:
        gold = gold_verdicts(root, store, ai_run)
        people = read_labels(root, store, people_run)
        judged = read_labels(root, store, ai_run).judged()
    theirs = [verdict for verdict in people.verdicts if verdict.annotator]
    rows = [judge_row(seed, "people", "gold", check(trials(theirs, gold)))]
    for name, verdicts in judged.items():
        rows.append(judge_row(seed, name, "gold", check(trials(verdicts, gold))))
        rows.append(judge_row(seed, name, "people", check(trials(verdicts, people.people()))))
    return rows


def gold_verdicts(root: Path, store: Store, run: str) -> Pairs:
    """The gold rule on all pairs of answers that a run sampled."""
    read = (Prompt.model_validate_json(line) for line in lines(root, store, run, "data", "prompts.jsonl"))
    prompts = {prompt.id: prompt for prompt in read}
    answers: dict[str, list[Response]] = {}
    for line in lines(root, store, run, "sample", "responses.jsonl"):
        response = Response.model_validate_json(line)
        answers.setdefault(response.prompt_id, []).append(response)
    return {
        (prompt, one.text, other.text): preference(worth(prompts[prompt], one), worth(prompts[prompt], other))
        for prompt, group in answers.items()
        for one in group
        for other in group
        if one is not other
    }


def worth(prompt: Prompt, response: Response) -> float:
    """The gold score of an answer."""
    return gold_score(prompt, response.text, response.finished)


def preference(first: float, second: float) -> float:
    """1 where the first is worth more, 0 where the second is, a half where neither is."""
    return 0.5 if abs(first - second) < 1e-9 else float(first > second)


def judge_row(seed: int, who: str, against: str, checked: Check) -> tuple[str, ...]:
    """One line of the judges' table."""
    shares: Mapping[str, Interval | None] = {
        "agreement": checked.agreement,
        "first": checked.shown_first,
        "flips": checked.flips,
    }
    return str(seed), who, against, str(checked.pairs), *(share(interval) for interval in shares.values())


def share(interval: Interval | None) -> str:
    """A share with its interval."""
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]" if interval else ""


def lines(root: Path, store: Store, run: str, stage: str, file: str) -> Iterable[bytes]:
    """The rows of a file that a stage of a run made.

    Raises ArtifactError where its bytes are not here.
    """
    content = store.read(artifact_id(find_run(root, run).lock[stage]), file)
    if content is None:
        raise ArtifactError(f"{file} of stage {stage} of run {run} is not in the DVC cache; `dvc pull` it")
    return content.splitlines()
