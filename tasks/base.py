"""The base model: pre-trained from nothing on the data's corpus, or fetched at one commit and recorded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemma.errors import DataError
from stemma.records.counting import counted
from stemma.records.json_file import write_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Demonstration, Document
from stemma.stage.door import Stage, run_stage
from stemma.training.base_settings import TOKENIZER, BaseConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def make_base(config: BaseConfig, stage: Stage) -> None:
    """Leave a model folder with source.json, which says what it was made from."""
    make = _pretrain if config.source == "scratch" else _fetch
    write_json(stage.output / "source.json", {"source": config.source, **make(config, stage)})


def _pretrain(config: BaseConfig, stage: Stage) -> dict[str, Any]:
    from stemma.models.tokenizer import build_tokenizer, load_tokenizer
    from stemma.records.dataset import texts_of
    from stemma.training.encoding import encode_demonstrations
    from stemma.training.from_scratch import make_from_scratch

    data = stage.input("data")
    documents = read_rows(data / "corpus.jsonl", Document)
    if not documents:
        raise DataError(
            f"{data / 'corpus.jsonl'} is empty, so there is nothing to pre-train on; set base.source to hub, with "
            "base.model and base.revision, or add documents to data.files"
        )
    probe = read_rows(data / "probe.jsonl", Demonstration)
    stage.progress.say(f"{counted(len(documents), 'document')}, {counted(len(probe), 'probe question')}")
    if (data / TOKENIZER).is_dir():  # of the user's own rows, whose lengths the data stage checked
        tokenizer: PreTrainedTokenizerBase = load_tokenizer(data / TOKENIZER)
    else:
        tokenizer = build_tokenizer(texts_of(documents), config.vocab_size)
        # What SFT could not read is an error now, before hours of pre-training.
        encode_demonstrations(tokenizer, read_rows(data / "demonstrations.jsonl", Demonstration), config.context)
    made = make_from_scratch(documents, probe, tokenizer, config, stage)
    stage.progress.say(", ".join(f"{name} {number:g}" for name, number in made.items()))
    return made


def _fetch(config: BaseConfig, stage: Stage) -> dict[str, Any]:
    from stemma.models.adoption import adopt
    from stemma.models.hub import check_folder, fetch, taken_files
    from stemma.models.policy import save_policy
    from stemma.models.seeding import seed_everything

    seed_everything(stage.seed, stage.machine.threads)
    if config.source == "hub":
        stage.progress.say(f"fetches {config.model} at {config.revision}")
        folder = fetch(config.model, config.revision)
    else:
        folder = check_folder(Path(config.model), config.revision)
    files = taken_files(folder)
    model, tokenizer = adopt(folder, config.title)
    save_policy(model, tokenizer, stage.output)
    where = {"model": config.model} if config.source == "hub" else {}
    return {**where, "revision": config.revision, "sha256": files}


if __name__ == "__main__":
    run_stage("base", BaseConfig, make_base)
