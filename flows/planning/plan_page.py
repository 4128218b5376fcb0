"""A plan as a person reads it."""

from collections.abc import Sequence

from flows.planning.plan import Plan, PlannedStage

UNKNOWN = "?"


def plan_page(plan: Plan, run: str, machine: str) -> str:
    """A line a stage, and the sum; what was never measured is said to be unknown, and not guessed."""
    running, title = plan.running, f" of run {run}" if run else ""
    if not running:
        return f"plan{title}: nothing runs, all {len(plan.stages)} stages are restored"
    rows = [["STAGE", "", "TIME", "GPU-HOURS", "DISK", "WHY"], *map(_row, plan.stages), _sum(plan)]
    lines = [f"plan{title}: {len(running)} of {len(plan.stages)} stages run", *_aligned(rows)]
    if any(None in (stage.seconds, stage.bytes) for stage in running):
        lines.append(
            f"  {UNKNOWN}: no run on record tells, on a machine like this one ({machine}); the sum is without it"
        )
    if any("will be new" in stage.why for stage in running):
        lines.append("  A stage whose inputs will be new is restored all the same where they come out as they were.")
    return "\n".join(lines)


def _row(stage: PlannedStage) -> list[str]:
    if not stage.runs:
        return [stage.stage, "restored", "", "", "", stage.why]
    gpu = None if stage.seconds is None else stage.seconds * stage.gpus
    return [
        stage.stage,
        "runs",
        UNKNOWN if stage.seconds is None else time_words(stage.seconds),
        UNKNOWN if gpu is None and stage.gpus else _hours(gpu or 0.0),
        UNKNOWN if stage.bytes is None else size_words(stage.bytes),
        stage.why,
    ]


def _sum(plan: Plan) -> list[str]:
    cost = plan.cost()
    return ["together", "", time_words(cost.seconds), _hours(cost.gpu_seconds), size_words(cost.bytes), ""]


def time_words(seconds: float) -> str:
    """A duration, as exact as an estimate deserves."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def size_words(size: float) -> str:
    """A number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f}" if seconds else "0"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = (2, 3, 4)
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
