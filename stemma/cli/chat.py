"""`stemma chat`: talk to a model in the terminal, or to two of them at once."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stemma.cli.page import Commands, print_page
from stemma.errors import DataError, SettingsError, WorkspaceError
from stemma.lineage.git import find_project
from stemma.records.answer_examples import readable

if TYPE_CHECKING:
    from stemma.config import MachineConfig
    from stemma.lineage.index import Index
    from stemma.lineage.names import Model
    from stemma.sampling.dialogue import Decoding, Dialogue

Dialogues = Mapping[str, "Dialogue"]
"""The conversations by the title of their model."""
MODEL_FILES = ("config.json", "adapter_config.json")
"""One of these is in every folder that holds a model."""
PROMPT = "> "
AGAIN = "/new"
HELP = f"{AGAIN} starts a new conversation; Ctrl-D ends."


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    chat = commands.add_parser(
        "chat",
        help="talk to a model, or compare the answers of two",
        description=f"Talk to a model in the terminal. {HELP} With --prompt, or with text on standard input, "
        "the answer is printed and nothing else.",
    )
    named = "policy@champion, policy/7, a run, a DVC id, or a folder such as serving/policy/champion"
    chat.add_argument("model", metavar="MODEL", help=named)
    chat.add_argument(
        "--against", metavar="MODEL", help="a second model that answers the same; `sft` or `base`: that of MODEL's run"
    )
    chat.add_argument("--prompt", metavar="TEXT", help="ask this and end")
    chat.add_argument("--temperature", type=float, default=0.0, help="0, the default, takes the likeliest token")
    chat.add_argument("--seed", type=int, default=0, help="the same seed gives the same answers")
    chat.add_argument("--max-tokens", type=int, default=256, metavar="N", help="length limit of an answer; 256")
    chat.set_defaults(command=_chat)


def _chat(options: argparse.Namespace) -> int:
    _check(options)
    try:
        prompt = options.prompt
        if prompt is None and not sys.stdin.isatty():
            prompt = sys.stdin.read().strip()
        with _dialogues(options) as dialogues:
            if prompt is not None:
                return _answer_once(dialogues, prompt, _decoding(options))
            _talk(dialogues, _decoding(options), _ask)
    except KeyboardInterrupt:
        print_page("")
    return 0


def _check(options: argparse.Namespace) -> None:
    if not 0 <= options.temperature < float("inf"):
        raise SettingsError(f"--temperature {options.temperature}: it is 0 or more")
    if options.max_tokens < 1:
        raise SettingsError(f"--max-tokens {options.max_tokens}: an answer has at least 1 token")
    if options.seed < 0:
        raise SettingsError(f"--seed {options.seed}: it is 0 or more")
    if options.prompt is not None and not options.prompt.strip():
        raise SettingsError("--prompt is empty; write a question")


def _decoding(options: argparse.Namespace) -> "Decoding":
    from stemma.sampling.dialogue import Decoding

    return Decoding(options.temperature, options.max_tokens, options.seed)


@contextmanager
def _dialogues(options: argparse.Namespace) -> Iterator[Dialogues]:
    """Conversations with the models that were named, MODEL first; their files stay in place meanwhile."""
    from stemma.sampling.dialogue import open_dialogue

    machine = _machine()
    with TemporaryDirectory(prefix="stemma-chat-") as scratch:
        folders = _folders(options, Path(scratch))
        yield {title: open_dialogue(folder, machine) for title, folder in folders.items()}


def _folders(options: argparse.Namespace, scratch: Path) -> dict[str, Path]:
    """The folders of the models, by title; models on record are laid out under `scratch`."""
    from stemma.lineage.index import open_index
    from stemma.lineage.policy_files import link_policy
    from stemma.lineage.store import Store

    names = [options.model, *([options.against] if options.against else [])]
    if all(_is_model_folder(name) for name in names):
        return {name: Path(name) for name in names}
    root = find_project(Path.cwd())
    folders: dict[str, Path] = {}
    with closing(open_index(root)) as index, Store(root) as store:
        for place, name in enumerate(names):
            if _is_model_folder(name):
                folders[name] = Path(name)
                continue
            model = _model(root, index, name, options.model if place else "")
            folders[_title(model)] = link_policy(index, store, model, scratch / str(place))
    return folders


def _model(root: Path, index: "Index", name: str, beside: str) -> "Model":
    """The policy that a name means; a stage's name means the one of the run that made the model beside it."""
    from stemma.lineage.names import Model, find_model
    from stemma.lineage.policy_files import POLICIES, check_policy

    if beside and name in POLICIES:
        if _is_model_folder(beside):
            raise WorkspaceError(f"--against {name}: {beside} is a folder, whose run is not known; name a run instead")
        run = find_model(root, index, beside).run
        made = index.of_run(run.commit)
        if name not in made:
            raise WorkspaceError(f"--against {name}: run {run.name} has no stage {name}; it has {', '.join(made)}")
        return Model(run, made[name])
    if name and Path(name).is_dir():
        raise WorkspaceError(f"{name} is a folder, and holds none of {', '.join(MODEL_FILES)}: there is no model in it")
    model = find_model(root, index, name)
    check_policy(model)
    return model


def _title(model: "Model") -> str:
    made = f"{model.derivation.stage} of run {model.run.name}"
    return made if model.title == made else f"{model.title} ({made})"


def _is_model_folder(name: str) -> bool:
    return any((Path(name) / file).is_file() for file in MODEL_FILES)


def _machine() -> "MachineConfig":
    """A GPU where there is one, with 16-bit weights; one person's questions need no fixed order of sums."""
    from flows.hardware import resolve
    from flows.settings import FlowMachineConfig

    device = resolve(FlowMachineConfig()).device
    return FlowMachineConfig(device=device, precision="bf16" if device == "cuda" else "fp32")


def _answer_once(dialogues: Dialogues, prompt: str, decoding: "Decoding") -> int:
    if not prompt:
        raise SettingsError("there is no question on standard input; write one, or give --prompt")
    answers = {title: readable(dialogue.answer(prompt, decoding).text) for title, dialogue in dialogues.items()}
    if len(answers) == 1:
        return print_page(next(iter(answers.values())))
    return print_page("\n".join(f"{title}\n  {text}" for title, text in answers.items()))


def _talk(dialogues: Dialogues, decoding: "Decoding", ask: Callable[[], str | None]) -> None:
    """Answer one question after the other, until `ask` has none."""
    print_page(f"{' and '.join(dialogues)}. {HELP}")
    while (question := ask()) is not None:
        if question == AGAIN:
            for dialogue in dialogues.values():
                dialogue.start_again()
        elif question:
            try:
                _answer_all(dialogues, question, decoding)
            except DataError as error:
                print(f"stemma: {error}", file=sys.stderr)


def _answer_all(dialogues: Dialogues, question: str, decoding: "Decoding") -> None:
    for title, dialogue in dialogues.items():
        who = f"{title}: " if len(dialogues) > 1 else ""
        answer = dialogue.answer(question, decoding)
        cut = "" if answer.finished else "  (cut at the length limit)"
        print_page(f"{who}{readable(answer.text) or '(nothing)'}{cut}")


def _ask() -> str | None:
    """What the person types; None at the end."""
    import readline  # noqa: F401 -- lets `input` edit the line

    try:
        return input(PROMPT).strip()
    except EOFError:
        print_page("")
        return None
