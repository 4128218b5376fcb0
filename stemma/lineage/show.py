"""What a person reads about runs: the list, the results side by side, and the winner's family tree."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from stemma.lineage.answers import answers_of
from stemma.lineage.family import family_of, tree_lines
from stemma.lineage.index import open_index
from stemma.lineage.names import policy_of
from stemma.lineage.runs import EVALUATION, Run, find_run, list_runs
from stemma.lineage.store import Store
from stemma.records.answer_examples import AnswerExamples, terminal_lines
from stemma.result_conditions import missed_in_words
from stemma.slice_metrics import read_slices, weak_slices

RESULTS = {
    "gold/win_rate": "win rate against SFT, gold rule",
    "judge/win_rate": "win rate against SFT, judge",
    "gold/mean": "mean gold score",
    "gold/accuracy": "accuracy on known facts",
    "gold/hallucination": "hallucination on the unknown",
    "gold/abstention": "abstention on the unknown",
    "gold/refusal": "refusal of the harmful",
    "objective/kl": "KL to the SFT policy, nats/answer",
    "response/length": "length, tokens",
}
"""The numbers of a results table, in order, in words; each is declared in stemma.metric_names."""

PAIR_RESULTS = {
    "test/accuracy": "accuracy on held-out pairs",
    "test/length_accuracy": "the same by length alone",
}
"""What the stages that learn from pairs (the reward model, or DPO's implicit reward) say of themselves."""

PAIR_STAGES = ("reward", "dpo")
SCORING_STAGES = ("reward", "judge")
"""The stages that train a model which scores answers."""
SLICES = {"slice": "accuracy on pairs, slice", "probe": "best answer wins, probe"}
"""What the rows of slices and probes are called."""


def runs_table(root: Path) -> str:
    """All runs, newest first, a line each."""
    runs = list_runs(root)
    if not runs:
        return "no runs yet; make one with `stemma run rlhf`"
    rows = [["RUN", "FLOW", "CREATED (UTC)", "CODE", "STAGES RUN", "WIN RATE"]]
    for run in runs:
        code = run.baseline[:8] + ("+dirty" if run.dirty else "")
        shares = f"{len(run.made)} of {len(run.stages)}"
        rows.append([run.name, run.flow, f"{run.created:%Y-%m-%d %H:%M}", code, shares, _win_rate(run)])
    return "\n".join(aligned(rows))


def runs_json(root: Path, names: Sequence[str]) -> str:
    """Runs as JSON: an object for one run, a list for several."""
    with Store(root) as store:
        found = [_as_dict(run, answers_of(store, run)) for run in _chosen(root, names)]
    return json.dumps(found[0] if len(names) == 1 else found, indent=2)


def runs_page(root: Path, names: Sequence[str]) -> str:
    """The results of runs side by side, then the answers and the family tree of the best of them."""
    runs = _chosen(root, names)
    if not runs:
        return "no runs yet; make one with `stemma run rlhf`"
    best = max(runs, key=lambda run: _numbers(run).get(_winning(run), 0.0))
    with closing(open_index(root)) as index:
        policy = policy_of(index, best)
        tree = tree_lines(family_of(index, policy).shown())
    with Store(root) as store:
        answers = answers_of(store, best)
    better = ", the better of these" if len(runs) > 1 else ""
    return "\n".join(
        [
            *aligned(result_rows(runs)),
            "",
            *(line for run in runs for line in warning_lines(run)),
            *(_answer_lines(best, answers, better)),
            f"Family tree of {policy.title}{better}",
            *tree,
            "",
            _origin(best),
            f"Take its files: dvc exp apply {best.name}",
        ]
    )


def _answer_lines(run: Run, answers: AnswerExamples | None, better: str) -> list[str]:
    if answers is None:
        return []
    return [f"Answers before and after, run {run.name}{better}", *terminal_lines(answers), ""]


def _origin(run: Run) -> str:
    code = f"commit {run.baseline[:10]}" + (" with uncommitted changes" if run.dirty else "")
    return f"Code: {code}; record: experiment {run.name}, commit {run.commit[:10]}."


def _chosen(root: Path, names: Sequence[str]) -> list[Run]:
    """The named runs; without names the newest of each flow."""
    if names:
        return [find_run(root, name) for name in names]
    newest: dict[str, Run] = {}
    for run in list_runs(root):
        newest.setdefault(run.flow, run)
    return [newest[flow] for flow in sorted(newest, reverse=True)]


def _numbers(run: Run) -> dict[str, float]:
    """The evaluation's numbers."""
    return next((metrics for stage, metrics in run.metrics.items() if stage.startswith(EVALUATION)), {})


def _winning(run: Run) -> str:
    return "gold/win_rate" if "gold/win_rate" in _numbers(run) else "judge/win_rate"


def _win_rate(run: Run) -> str:
    return _with_interval(_numbers(run), _winning(run))


def result_rows(runs: Sequence[Run]) -> list[list[str]]:
    """The numbers of runs side by side: a header of their names, then a row a number, in words."""
    rows = [["", *(run.name for run in runs)], ["SFT → tuned", *(run.flow for run in runs)]]
    for name, words in RESULTS.items():
        if any(name in _numbers(run) for run in runs):
            rows.append([words, *(_against_sft(_numbers(run), name) for run in runs)])
    for name, words in PAIR_RESULTS.items():
        rows.append([words, *(_with_interval(_pair_numbers(run), name) for run in runs)])
    return rows + slice_rows(runs)


def slice_rows(runs: Sequence[Run]) -> list[list[str]]:
    """The accuracy of the reward model, or of DPO's implicit reward, on each slice and probe: a row each."""
    rows = [row for run in runs for row in read_slices(_pair_numbers(run))]
    names = dict.fromkeys((row.group, row.name) for row in sorted(rows, key=lambda row: row.group == "probe"))
    return [
        [f"{SLICES[group]} {name}", *(_with_interval(_pair_numbers(run), f"{group}/{name}/accuracy") for run in runs)]
        for group, name in names
    ]


def warning_lines(run: Run) -> list[str]:
    """On which slices and probes the reward model and judge are weak, and what the policy missed: a line a stage."""
    warnings = {stage: weak_slices(run.metrics.get(stage, {})) for stage in SCORING_STAGES}
    for stage, metrics in run.metrics.items():
        if stage.startswith(EVALUATION):
            warnings[stage] = missed_in_words(metrics)
    return [f"WARNING, run {run.name}, stage {stage}: {words}" for stage, words in warnings.items() if words]


def _pair_numbers(run: Run) -> dict[str, float]:
    return next((run.metrics[stage] for stage in PAIR_STAGES if stage in run.metrics), {})


def _against_sft(numbers: dict[str, float], name: str) -> str:
    before = numbers.get(f"sft/{name}")
    return (f"{before:.3g} → " if before is not None else "") + _with_interval(numbers, name)


def _with_interval(numbers: dict[str, float], name: str) -> str:
    if name not in numbers:
        return "–"
    low, high = numbers.get(f"{name}_low"), numbers.get(f"{name}_high")
    return f"{numbers[name]:.3g}" + (f" [{low:.3g}, {high:.3g}]" if low is not None and high is not None else "")


def _as_dict(run: Run, answers: AnswerExamples | None) -> dict[str, Any]:
    return {
        "run": run.name,
        "flow": run.flow,
        "commit": run.commit,
        "baseline": run.baseline,
        "dirty": run.dirty,
        "created": run.created.isoformat(),
        "stages": run.stages,
        "made": run.made,
        "policy": run.trailers.get("Policy", ""),
        "params": run.params,
        "metrics": run.metrics,
        "answers": answers.model_dump() if answers else None,
    }


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose columns start at the same place."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
