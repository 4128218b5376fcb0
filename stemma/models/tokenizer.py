"""The tokenizer: built from a corpus, or a Hub model's, made fit for every stage after it."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from stemma.errors import ArtifactError

PAD, END = "<|pad|>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}"
    "<|assistant|>{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}"
    "{%- else -%}"
    "<|{{ message.role }}|>{{ message.content }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
"""Each turn opens with its role; only the assistant's turns are closed, with the end-of-sequence token."""
CONFIG = "tokenizer_config.json"
WHEREABOUTS = ("is_local", "local_files_only", "name_or_path")


def build_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016; bytes as in Radford et al. 2019) on texts.

    No text is unknown to it, and decoding gives back exactly what was encoded. The vocabulary holds the 256 bytes, five
    special tokens, and merges up to `vocab_size`; it is smaller where the texts have no more pairs to merge.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, *ROLES, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        chat_template=CHAT_TEMPLATE,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer that was saved with a model, padding on the left.

    Raises ArtifactError where the folder has none.
    """
    if not (folder / CONFIG).is_file():
        raise ArtifactError(f"{folder} holds no tokenizer ({CONFIG} is missing); rebuild the stage that made it")
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer.padding_side = "left"  # not always kept by save_pretrained
    return tokenizer


def check_same_tokens(policy: Path, reward: Path) -> None:
    """Raise ArtifactError where a policy and a reward model do not read text alike."""
    if load_tokenizer(policy).get_vocab() != load_tokenizer(reward).get_vocab():
        raise ArtifactError(
            f"{policy} and {reward} have different tokenizers, so the reward model cannot read the policy's tokens; "
            "train the reward model on this policy"
        )


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save the tokenizer and its chat template; the bytes do not tell how it was used or where it came from."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:  # a padded call leaves its lengths in tokenizer.json
        backend.no_padding()
        backend.no_truncation()
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in WHEREABOUTS}
    text = json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
