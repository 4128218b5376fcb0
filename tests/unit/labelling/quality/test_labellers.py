"""What is told of single labellers: confusion, gold items, leanings."""

import pytest

from stemma.labelling.quality.confusion import confusions
from stemma.labelling.quality.gold_items import gold_accuracy
from stemma.labelling.quality.leanings import leanings
from stemma.labelling.quality.report import quality_report
from stemma.labelling.quality.votes import Labeller, gather
from stemma.records.types import Verdict

ANN, BEN, CLEO = (Labeller("annotator", name) for name in ("ann", "ben", "cleo"))


def verdict(number: int, who: str, choice: str, first: str = "long one", second: str = "short") -> Verdict:
    return Verdict.model_validate(
        {"prompt_id": str(number), "annotator": who, "first": first, "second": second, "choice": choice}
    )


def test_confusion_is_against_the_others_and_in_the_order_shown() -> None:
    given = [
        verdict(0, "ann", "first"),
        verdict(0, "ben", "second", first="short", second="long one"),  # agrees: the long one
        verdict(0, "cleo", "second"),
        verdict(1, "ann", "both_bad"),
        verdict(1, "ben", "first"),
        verdict(2, "ann", "skip"),
        verdict(2, "ben", "first"),
        verdict(3, "ann", "first"),
    ]
    found = confusions(gather(given))
    assert found[ANN].counts == {"first": {"both_bad": 1}, "tie": {"first": 1}}  # on 0 the others are split
    assert found[ANN].agreement is None
    assert found[BEN].counts == {"tie": {"second": 1, "first": 1}}
    assert found[CLEO].counts == {"first": {"second": 1}}
    agreement = found[CLEO].agreement
    assert agreement is not None
    assert agreement.estimate == 0


def test_gold_items_by_hand() -> None:
    answered = [(verdict(n, "ann", "first"), "long one") for n in range(8)]
    answered += [(verdict(8, "ann", "second"), "long one"), (verdict(9, "ann", "tie"), "long one")]
    answered += [(verdict(10, "ann", "skip"), "long one"), (verdict(0, "ben", "second"), "short")]
    found = gold_accuracy(answered)
    assert found[ANN] == pytest.approx((0.8, 0.4902, 0.9433, 10), abs=1e-4)  # Wilson's interval of 8 of 10
    assert found[BEN].estimate == 1


def test_leanings_by_hand() -> None:
    given = [
        verdict(0, "ann", "first"),
        verdict(1, "ann", "first", first="short", second="long one"),
        verdict(2, "ann", "first", first="equal", second="alike"),
        verdict(3, "ann", "second"),
        verdict(4, "ann", "tie"),
    ]
    found = leanings(given)
    assert found.shown_first is not None
    assert found.longer is not None
    assert (found.shown_first.estimate, found.shown_first.n) == (0.75, 4)
    assert found.longer.estimate == pytest.approx(1 / 3)
    assert found.longer.n == 3
    assert leanings(given[4:]) == (None, None)


def test_the_report_tells_what_overlap_allows() -> None:
    alone = quality_report(gather([verdict(0, "ann", "first")]), seed=0)
    assert (alone["alpha"], alone["kappa"]) == (None, [])
    assert alone["disagreement"] == {"couples": 0, "share": None, "verdicts_wrong": None}
    assert alone["labellers"]["ann"]["accuracy"] is None
    # 2 of 10 couples differ: 2ε(1 − ε) = 0.2
    given = [
        verdict(n, who, "first" if n > 1 or who == "ann" else "second") for n in range(10) for who in ("ann", "ben")
    ]
    found = quality_report(gather(given), seed=0)
    assert found["disagreement"] == {"couples": 10, "share": 0.2, "verdicts_wrong": pytest.approx(0.112702)}
    assert found["kappa"][0]["estimate"] == pytest.approx(0.6)
    assert found["choices"] == {"first": 18, "second": 2}
