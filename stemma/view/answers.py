"""The table of answers on a run in MLflow.

It shows the answers.json that the stages eval_ppo and eval_dpo write (stemma.evaluation.chosen_examples selects them).
The run of the evaluation has the table, and so has the parent run.
"""

import json
from collections.abc import Iterator
from typing import Any

from stemma.records.answer_examples import ANSWERS, AnswerExamples, table
from stemma.view.difference import Difference
from stemma.view.store import MlflowStore

TABLES = "mlflow.loggedArtifacts"
"""The tag by which MLflow's UI knows that a file is a table; `MlflowClient.log_table` sets it, and needs pandas."""


def log_answers(mlflow: MlflowStore, run: str, answers: AnswerExamples | None) -> None:
    """Put the table on a run; nothing where there are no answers."""
    if answers:
        mlflow.client.log_dict(run, table(answers), ANSWERS)
        mlflow.set_tags(run, {TABLES: json.dumps([{"path": ANSWERS, "type": "table"}])})


def answer_differences(
    mlflow: MlflowStore, where: str, run: Any, answers: AnswerExamples | None
) -> Iterator[Difference]:
    """A table of answers that is missing on a run, is another, or is not marked as a table."""
    if not answers:
        return
    number = run.info.run_id
    shown = mlflow.read_text(number, ANSWERS)
    if shown is None:
        yield Difference(f"{where}: its answers are missing", lambda: log_answers(mlflow, number, answers))
    elif _parsed(shown) != table(answers) or ANSWERS not in run.data.tags.get(TABLES, ""):
        words = f"{where}: its answers are not what is on record"
        yield Difference(words, lambda: log_answers(mlflow, number, answers))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
