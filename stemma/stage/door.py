"""The door through which DVC runs a stage: `python -m tasks.<stage>`.

It reads the settings, checks the inputs' bytes, gives the stage an empty folder to fill, and only when the stage is
done moves that folder into place: an artifact is whole or it is not there.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, NoReturn, TypeVar

from stemma.config import MachineConfig, Settings, Values, parse_settings, read_yaml
from stemma.errors import ArtifactError, BudgetError, SettingsError, StemmaError
from stemma.stage.curves import write_plots
from stemma.stage.deadline import Deadline
from stemma.stage.definition import (
    ARTIFACTS,
    METRICS,
    PARAMS_FILE,
    StageDefinition,
    read_definition,
    scratch_name,
)
from stemma.stage.full_disk import telling_a_full_disk
from stemma.stage.live_lines import append_event
from stemma.stage.locks import lock
from stemma.stage.manifest import verify_manifest, write_manifest
from stemma.stage.orphan import end_with
from stemma.stage.out_of_memory import telling_out_of_memory
from stemma.stage.progress import Progress, UnheardProgress
from stemma.stage.rank import RANK_VARIABLE, is_first, is_rank, join
from stemma.stage.ranks import RANK_OUTPUT_VARIABLE, RANK_SCRATCH_VARIABLE, TRAIN_IN_RANKS, run_in_ranks
from stemma.stage.slots import slots_for

C = TypeVar("C", bound=Settings)
SCRATCH_VARIABLE = "STEMMA_SCRATCH"
FLOW_PID_VARIABLE = "STEMMA_FLOW_PID"
WATCHED = Path(".stemma/watched")
"""Where a stage under a flow leaves its log and its events, in the run's workspace."""
ERROR_STATUS = 2


@dataclass(frozen=True)
class Stage:
    """What a stage's function is given besides its settings."""

    name: str
    seed: int
    machine: MachineConfig
    inputs: Mapping[str, Path]
    output: Path
    """An empty folder; what is in it when the function returns is the artifact."""
    scratch: Path
    """A folder that outlives a kill: step checkpoints go here."""
    progress: Progress

    def input(self, name: str) -> Path:
        """The folder of an input artifact, its bytes already checked.

        Raises ArtifactError where dvc.yaml does not declare it as a dependency.
        """
        if name not in self.inputs:
            raise ArtifactError(f"stage {self.name} does not declare artifacts/{name} as a dependency in dvc.yaml")
        return self.inputs[name]


Work = Callable[[C, Stage], Mapping[str, float] | None]


def run_stage(name: str, config: type[C], function: Work[C], section: str | None = None) -> None:
    """Run one stage in the current folder and leave `artifacts/<name>`, and a metrics file where it returns numbers.

    A StemmaError ends the process with status 2 and one message; nothing half-written is left.
    """
    if is_rank():
        _be_a_rank(name, config, function, section or name)
        return
    if FLOW_PID_VARIABLE in os.environ:
        end_with(int(os.environ[FLOW_PID_VARIABLE]))
        _log_to_file(name)
    try:
        Deadline.from_environment().check("it was not begun")
        with telling_a_full_disk(Path.cwd()), telling_out_of_memory():
            _run(name, config, function, section or name)
    except StemmaError as error:
        _fail(name, error)


class _Read(NamedTuple, Generic[C]):
    """What dvc.yaml and params.yaml say of a stage."""

    definition: StageDefinition
    params: Values
    settings: C
    machine: MachineConfig
    seed: int

    @property
    def inputs(self) -> dict[str, Path]:
        """The folders of the input artifacts."""
        return {dep: ARTIFACTS / dep for dep in self.definition.inputs}


def _read(name: str, config: type[C], section: str) -> _Read[C]:
    root = Path.cwd()
    definition = read_definition(root, name)
    params = read_yaml(root / PARAMS_FILE)
    settings = parse_settings(config, params.get(section, {}), f"params.yaml, section {section},")
    machine = parse_settings(MachineConfig, params.get("machine", {}), "params.yaml, section machine,")
    seed = params.get("seed")
    if not isinstance(seed, int):
        raise SettingsError(f"params.yaml: seed must be a whole number, got {seed!r}")
    return _Read(definition, params, settings, machine, seed)


def _run(name: str, config: type[C], function: Work[C], section: str) -> None:
    read = _read(name, config, section)
    for folder in read.inputs.values():
        verify_manifest(folder)
    with _scratch(read.definition) as scratch:
        progress = Progress(name, scratch, events_file(name))
        with (
            slots_for(name, section, read.params, progress),
            _new_folder(read.definition.artifact) as output,
            telling_a_full_disk(output, scratch),  # before the folder goes, and frees some space
        ):
            progress.enforce_deadline(lambda why: _stop(name, why))
            metrics = None
            if read.machine.processes > 1 and name in TRAIN_IN_RANKS:
                run_in_ranks(read.definition.cmd.split()[1:], name, read.machine, output, scratch)
            else:
                with progress.never_silent():
                    metrics = function(read.settings, _stage(name, read, output, scratch, progress))
            progress.write_history(output)
            write_manifest(output, name, read.inputs)
            write_plots(name, progress.rows())
            if metrics is not None:
                _write_metrics(name, metrics)


def _be_a_rank(name: str, config: type[C], function: Work[C], section: str) -> None:
    """Do the door's work but for its duties: inputs are checked, and the folders are there.

    An error is left for the door to tell; the first rank alone writes the metrics.
    """
    from torch.distributed.elastic.multiprocessing.errors import record

    end_with(int(os.environ[RANK_VARIABLE]))
    output, scratch = Path(os.environ[RANK_OUTPUT_VARIABLE]), Path(os.environ[RANK_SCRATCH_VARIABLE])

    @record
    def work() -> None:
        read = _read(name, config, section)
        progress = (Progress if is_first() else UnheardProgress)(
            name, scratch, events_file(name) if is_first() else None
        )
        join(read.machine)
        with telling_a_full_disk(output, scratch), telling_out_of_memory(), progress.never_silent():
            metrics = function(read.settings, _stage(name, read, output, scratch, progress))
        if metrics is not None:
            _write_metrics(name, metrics)

    try:
        work()
    except StemmaError:
        sys.exit(ERROR_STATUS)


def _stage(name: str, read: _Read[C], output: Path, scratch: Path, progress: Progress) -> Stage:
    return Stage(name, read.seed, read.machine, read.inputs, output, scratch, progress)


@contextmanager
def _scratch(definition: StageDefinition) -> Iterator[Path]:
    root = Path(os.environ.get(SCRATCH_VARIABLE, ".stemma/scratch"))
    folder = root / scratch_name(Path.cwd(), definition)
    with lock(root / f"{folder.name}.lock"):
        folder.mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(folder)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    building = target.with_name(target.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    shutil.rmtree(target, ignore_errors=True)
    building.rename(target)


def _write_metrics(name: str, metrics: Mapping[str, float]) -> None:
    METRICS.mkdir(exist_ok=True)
    text = json.dumps({key: round(float(value), 6) for key, value in sorted(metrics.items())}, indent=2)
    (METRICS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _fail(name: str, error: StemmaError) -> NoReturn:
    _tell(name, error)
    sys.exit(ERROR_STATUS)


def _stop(name: str, why: str) -> NoReturn:
    """End the process from any thread; the folder that was being filled goes with the workspace."""
    _tell(name, BudgetError(why))
    os._exit(ERROR_STATUS)


def _tell(name: str, error: StemmaError) -> None:
    """Leave word of a fault: for people, and its kind for the flow."""
    print(f"{name}: {error}", file=sys.stderr, flush=True)
    events = events_file(name)
    if events:
        append_event(events, {"error": str(error), "kind": type(error).__name__})


def events_file(name: str) -> Path | None:
    """The file of a stage's events, or None where no flow watches."""
    return WATCHED / f"{name}.jsonl" if FLOW_PID_VARIABLE in os.environ else None


def _log_to_file(name: str) -> None:
    """Send all output to a file: the terminal belongs to the flow's own display."""
    WATCHED.mkdir(parents=True, exist_ok=True)
    log = os.open(WATCHED / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
