"""The MLmodel file of a policy: how MLflow loads it, by a file of code and the artifact's id. It holds no weights."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

CODE = "mlflow_model.py"
README = "WEIGHTS.md"
EPOCH = "1970-01-01 00:00:00"
"""The time in the file, which has to have one: the same model gives the same bytes."""


@contextmanager
def model_folder(model_id: str, stage: str, dvc_id: str, manifest_sha256: str) -> Iterator[Path]:
    """A folder with what MLflow keeps of a policy: the MLmodel file, the code that loads it, where the weights are.

    The same model under the same id gives the same bytes.
    """
    from mlflow.models import Model, ModelSignature
    from mlflow.types.llm import CHAT_MODEL_INPUT_SCHEMA, CHAT_MODEL_OUTPUT_SCHEMA

    model = Model(
        model_uuid=dvc_id.removesuffix(".dir"),
        model_id=model_id,
        utc_time_created=EPOCH,
        signature=ModelSignature(CHAT_MODEL_INPUT_SCHEMA, CHAT_MODEL_OUTPUT_SCHEMA),
        metadata={"task": "agent/v1/chat", "dvc_id": dvc_id},
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.pyfunc.loaders.code_model",
        model_code_path=CODE,
        config={"stage": stage, "artifact": dvc_id, "manifest_sha256": manifest_sha256},
        streamable=False,
    )
    # The weights are no part of it: who loads them with this flavor names their folder, or reads here how to get one.
    model.add_flavor(
        "transformers",
        task="text-generation",
        instance_type="TextGenerationPipeline",
        pipeline_model_type="AutoModelForCausalLM",
        local_base_model_path=_how_to_load(dvc_id),
        components=[],
    )
    with TemporaryDirectory() as place:
        folder = Path(place)
        model.save(str(folder / "MLmodel"))
        shutil.copyfile(Path(__file__).with_name(CODE), folder / CODE)
        (folder / README).write_text(_where(stage, dvc_id), encoding="utf-8")
        yield folder


def _how_to_load(dvc_id: str) -> str:
    """What stands for the folder that is to be named; transformers repeats it where none was."""
    return (
        f"FOLDER, where `stemma export {dvc_id} --to FOLDER` puts the model; then "
        'mlflow.transformers.load_model(MODEL, base_model_path="FOLDER", tokenizer="FOLDER")'
    )


def _where(stage: str, dvc_id: str) -> str:
    return f"""# Where the weights are

MLflow keeps no second copy of them. They are artifact `{dvc_id}` (stage {stage}) in DVC. In the project's folder:

- `stemma export {dvc_id} --to FOLDER` writes them, checked, into a folder that
  `transformers.AutoModelForCausalLM.from_pretrained("FOLDER")` loads
- the champion of a registered model is at `serving/MODEL/champion`, ready to load
- `mlflow.pyfunc.load_model` and `mlflow models serve --env-manager local` work as they are
- `mlflow.transformers.load_model(MODEL, base_model_path="FOLDER", tokenizer="FOLDER")` loads from either folder
"""
