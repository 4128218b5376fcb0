"""A small LLaMA (Touvron et al. 2023), made from documents alone."""

from collections.abc import Sequence

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from stemma.models.chat import Ids, encode_answers, encode_conversations
from stemma.models.policy import save_policy
from stemma.models.seeding import seed_everything
from stemma.records.types import Demonstration, Document
from stemma.stage.door import Stage
from stemma.training.pretrain import pretrain
from stemma.training.pretrain_settings import PretrainSettings
from stemma.training.probe import Probe


def make_from_scratch(
    documents: Sequence[Document],
    questions: Sequence[Demonstration],
    tokenizer: PreTrainedTokenizerBase,
    settings: PretrainSettings,
    stage: Stage,
) -> dict[str, float]:
    """Build a model, train it on the documents, and save it with its tokenizer as the stage's output.

    Returns how many steps it took, how many weights and tokens there are, and, where there are probe questions, the
    share of them answered right. Raises TrainingError as `pretrain` does.
    """
    seed_everything(stage.seed, stage.machine.threads)
    model = new_model(settings, tokenizer)
    probe = Probe(questions, tokenizer)
    steps = pretrain(model, _encode(documents, tokenizer), probe, settings, stage)
    save_policy(model, tokenizer, stage.output)
    known = {"probe_accuracy": probe.accuracy(model)} if len(probe) else {}
    return {"steps": steps, "weights": model.num_parameters(), "tokens": len(tokenizer), **known}


def _encode(documents: Sequence[Document], tokenizer: PreTrainedTokenizerBase) -> list[Ids]:
    """Token ids of documents, each closed by the end-of-sequence token."""
    plain = iter(encode_answers(tokenizer, [document.text for document in documents if document.text]))
    spoken = iter(encode_conversations(tokenizer, [row.messages or () for row in documents if not row.text]))
    return [next(plain if document.text else spoken) for document in documents]


def new_model(settings: PretrainSettings, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A LLaMA with random weights drawn from torch's global generator, input and output embeddings shared."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=settings.width,
            intermediate_size=settings.mlp_width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            max_position_embeddings=settings.context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
