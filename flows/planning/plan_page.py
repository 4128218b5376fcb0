"""A plan as a person reads it."""

from collections.abc import Sequence

from flows.planning.plan import Plan, PlannedStage
from stemma.stage.pace import duration_text

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
            f"  {UNKNOWN}: not known, because no run on record measured it on a machine like this one ({machine})"
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
        UNKNOWN if stage.seconds is None else duration_text(stage.seconds),
        UNKNOWN if gpu is None and stage.gpus else _hours(gpu or 0.0),
        UNKNOWN if stage.bytes is None else size_words(stage.bytes),
        stage.why,
    ]


def _sum(plan: Plan) -> list[str]:
    cost, running = plan.cost(), plan.running
    times = [stage.seconds for stage in running]
    gpu_times = [stage.seconds if stage.gpus else 0.0 for stage in running]
    return [
        "together",
        "",
        _total(duration_text(cost.seconds), times),
        _total(_hours(cost.gpu_seconds), gpu_times),
        _total(size_words(cost.bytes), [stage.bytes for stage in running]),
        "",
    ]


def _total(known: str, parts: Sequence[float | None]) -> str:
    """The sum of the known parts, and that there are unknown ones."""
    if None not in parts:
        return known
    return f"{known} + {UNKNOWN}" if any(part is not None for part in parts) else UNKNOWN


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
