"""`stemma chat` on models small enough to be made here: whole, as adapters, from a folder and from the record."""

import io
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from stemma.cli import main
from stemma.config import LoraConfig
from stemma.models.policy import save_policy, trainable_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.sampling.dialogue import Decoding, open_dialogue
from stemma.stage.manifest import write_manifest
from tests.family import FamilyProject, Made
from tests.tiny import MACHINE, tiny_artifact

SAMPLED = Decoding(temperature=1.0, max_new_tokens=6, seed=0)


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    """A run `calm` whose policy is adapters over its SFT policy."""
    folder = tmp_path_factory.mktemp("chat")
    sft = tiny_artifact(folder / "sft", seed=0)
    model = trainable_policy(sft, MACHINE, "lora", LoraConfig(r=4))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.5)
    (folder / "ppo").mkdir()
    save_policy(model, load_tokenizer(sft), folder / "ppo", sft)
    write_manifest(folder / "ppo", "ppo", {})
    made = FamilyProject(folder / "project")
    before, after = (made.folder(files_of(folder / stage)) for stage in ("sft", "ppo"))
    reward = made.artifact("reward", {"model.safetensors": b"reward"})
    made.run(
        "calm",
        [
            Made("sft", before, 1, {}),
            Made("reward", reward, 1, {"artifacts/sft": before}),
            Made("ppo", after, 1, {"artifacts/sft": before}),
        ],
    )
    return made


@pytest.fixture
def inside(project: FamilyProject, monkeypatch: pytest.MonkeyPatch) -> FamilyProject:
    monkeypatch.chdir(project.path)
    (project.path / "inputs").mkdir(exist_ok=True)
    return project


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["chat", *arguments]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


ASKED = ("--prompt", "where does bok live ?", "--max-tokens", "6")


@pytest.mark.usefixtures("inside")
def test_a_policy_of_adapters_answers_beside_the_one_it_was_made_from(
    project: FamilyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = said(capsys, "calm", *ASKED)
    both = said(capsys, "calm", "--against", "sft", *ASKED)
    folder = project.path.parent / "sft"
    assert both == f"ppo of run calm\n  {alone.rstrip()}\nsft of run calm\n  {said(capsys, str(folder), *ASKED)}"
    assert alone != said(capsys, str(folder), *ASKED)


@pytest.mark.usefixtures("inside")
def test_what_is_piped_in_is_the_question(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = said(capsys, "calm", *ASKED)
    monkeypatch.setattr(sys, "stdin", io.StringIO("where does bok live ?\n"))
    assert said(capsys, "calm", "--max-tokens", "6") == asked


@pytest.mark.usefixtures("inside")
def test_a_seed_gives_the_same_answer(capsys: pytest.CaptureFixture[str]) -> None:
    answers = [said(capsys, "calm", *ASKED, "--temperature", "1", "--seed", seed) for seed in ("1", "1", "2")]
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "'nobody' is not a run"),
        (["calm", "--against", "dpo"], "run calm has no stage dpo; it has"),
        (["calm", "--temperature", "-1"], "it is 0 or more"),
        (["calm", "--max-tokens", "0"], "at least 1 token"),
        (["inputs"], "inputs is a folder, and holds none of config.json"),
    ],
)
@pytest.mark.usefixtures("inside")
def test_what_cannot_be_meant_is_said(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert words in said(capsys, *arguments, "--prompt", "hm ?", status=2)


def test_an_artifact_that_answers_nothing_is_named(inside: FamilyProject, capsys: pytest.CaptureFixture[str]) -> None:
    reward = inside.git.run("for-each-ref", "--format=%(contents:body)", "refs/exps").split("reward=")[1].split()[0]
    assert "is an artifact of stage reward, which answers no prompts" in said(
        capsys, reward, "--prompt", "hm ?", status=2
    )


def test_bytes_that_are_nowhere_are_named(inside: FamilyProject, capsys: pytest.CaptureFixture[str]) -> None:
    policy = inside.git.run("for-each-ref", "--format=%(contents:body)", "refs/exps").split("ppo=")[1].split()[0]
    place = inside.place(policy)
    away = place.rename(place.with_suffix(".away"))
    told = said(capsys, "calm", "--prompt", "hm ?", status=2)
    away.rename(place)
    assert policy in told
    assert "neither in the DVC cache nor on a remote" in told


def test_a_conversation_goes_on_and_forgets_its_oldest_turns(project: FamilyProject) -> None:
    dialogue = open_dialogue(project.path.parent / "sft", MACHINE)
    question = "where does bok live ?"
    for _ in range(6):
        dialogue.answer(question, SAMPLED)
    assert [turn.role for turn in dialogue.turns] == ["user", "assistant"] * (len(dialogue.turns) // 2)
    assert 2 < len(dialogue.turns) < 12
    dialogue.start_again()
    assert dialogue.answer(question, SAMPLED) == open_dialogue(project.path.parent / "sft", MACHINE).answer(
        question, SAMPLED
    )


@pytest.mark.parametrize("end", ["\x04", "\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_in_a_terminal_both_keys_end_it(project: FamilyProject, end: str) -> None:
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "stemma", "chat", "calm", "--max-tokens", "4"]
    process = subprocess.Popen(
        command, cwd=project.path, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    seen = read_until(keyboard, "> ")
    os.write(keyboard, b"where does bok live ?\n")
    seen += read_until(keyboard, "> ")
    if end == "\x03":
        press_until_ended(process)
    else:
        os.write(keyboard, end.encode())
    assert process.wait(timeout=60) == 0, seen
    os.close(keyboard)
    assert "ppo of run calm. /new starts a new conversation" in seen
    assert "Traceback" not in seen


def press_until_ended(process: "subprocess.Popen[bytes]") -> None:
    """Press Ctrl-C; again where it came after the prompt was written and before the keyboard was waited for."""
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        return


def read_until(terminal: int, mark: str) -> str:
    seen, deadline = "", time.monotonic() + 120
    while not seen.endswith(mark):
        assert time.monotonic() < deadline, seen
        seen += os.read(terminal, 4096).decode()
    return seen
