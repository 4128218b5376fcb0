"""A plan as a person reads it."""

from flows.planning.budget import Cost
from flows.planning.plan import Plan, PlannedStage
from flows.planning.plan_page import plan_page, size_words
from stemma.stage.pace import duration_text

RESTORED = PlannedStage("data", False, "nothing changed", 0, 0.0, 0)
SFT = PlannedStage("sft", True, "sft.epochs 1 → 2", 0, 40.0, 3 << 20)
PPO = PlannedStage("ppo", True, "sft will be new", 2, 5400.0, 1 << 30)
NEW = PlannedStage("eval_ppo", True, "no run has it yet", 1, None, None)


def test_the_sum_is_of_what_runs_and_is_known() -> None:
    plan = Plan((RESTORED, SFT, PPO, NEW))
    assert plan.running == [SFT, PPO, NEW]
    assert plan.cost() == Cost(5440, 10800, (3 << 20) + (1 << 30))


def test_the_page() -> None:
    page = plan_page(Plan((RESTORED, SFT, PPO, NEW)), "may", "cuda x2")
    assert page.splitlines() == [
        "plan of run may: 3 of 4 stages run",
        "  STAGE                    TIME  GPU-HOURS         DISK  WHY",
        "  data      restored                                     nothing changed",
        "  sft       runs           40 s          0        3 MiB  sft.epochs 1 → 2",
        "  ppo       runs          1.5 h       3.00      1.0 GiB  sft will be new",
        "  eval_ppo  runs              ?          ?            ?  no run has it yet",
        "  together            1.5 h + ?   3.00 + ?  1.0 GiB + ?",
        "  ?: not known, because no run on record measured it on a machine like this one (cuda x2)",
        "  A stage whose inputs will be new is restored all the same where they come out as they were.",
    ]


def test_a_plan_of_which_nothing_is_known_has_no_sum() -> None:
    together = plan_page(Plan((RESTORED, NEW)), "may", "cpu x1").splitlines()[4]
    assert together.split() == ["together", "?", "?", "?"]


def test_where_nothing_runs_a_line_is_enough() -> None:
    assert plan_page(Plan((RESTORED,)), "", "cpu x1") == "plan: nothing runs, all 1 stages are restored"


def test_words_for_numbers() -> None:
    assert [duration_text(seconds) for seconds in (0, 89, 90, 5399, 5400)] == [
        "0 s",
        "89 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]
    assert [size_words(size) for size in (0, 1023, 1024, 1 << 20, 3 << 29)] == [
        "0 B", "1023 B", "1 KiB", "1 MiB", "1.5 GiB",
    ]  # fmt: skip
