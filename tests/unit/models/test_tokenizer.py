import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.errors import ArtifactError
from stemma.models.tokenizer import END, PAD, ROLES, load_tokenizer, save_tokenizer
from stemma.stage.manifest import file_sha256
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()


@given(st.text().filter(lambda text: "<|" not in text))
def test_decoding_gives_back_any_text(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_special_tokens_are_one_token_each_and_padding_ends_nothing() -> None:
    assert [TOKENIZER.convert_tokens_to_ids(token) for token in (PAD, *ROLES, END)] == [0, 1, 2, 3, 4]
    assert TOKENIZER.pad_token_id != TOKENIZER.eos_token_id
    assert TOKENIZER.eos_token == END


def test_words_of_the_corpus_become_one_token_each() -> None:
    text = "where does dari live ?"
    assert len(TOKENIZER(text, add_special_tokens=False)["input_ids"]) == len(text.split())


def test_a_saved_tokenizer_pads_on_the_left_and_keeps_its_template(tmp_path: Path) -> None:
    TOKENIZER.padding_side = "right"
    save_tokenizer(TOKENIZER, tmp_path)
    TOKENIZER.padding_side = "left"
    loaded = load_tokenizer(tmp_path)
    assert loaded.padding_side == "left"
    assert loaded.chat_template == TOKENIZER.chat_template
    assert loaded.get_vocab() == TOKENIZER.get_vocab()


def test_saving_again_after_use_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    save_tokenizer(tiny_tokenizer(), first)
    loaded = load_tokenizer(first)
    loaded(["one", "one more"], padding=True, truncation=True, max_length=8)
    save_tokenizer(loaded, second)
    assert {p.name: file_sha256(p) for p in first.iterdir()} == {p.name: file_sha256(p) for p in second.iterdir()}


def test_training_gives_the_same_merges_in_another_process(tmp_path: Path) -> None:
    code = f"from tests.tiny import *; tiny_tokenizer().save_pretrained({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], env={"PYTHONHASHSEED": "7"}, check=True)
    assert load_tokenizer(tmp_path).get_vocab() == TOKENIZER.get_vocab()


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"{tmp_path} holds no tokenizer"):
        load_tokenizer(tmp_path)
