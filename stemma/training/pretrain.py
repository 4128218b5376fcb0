"""Pre-training: a model learns to continue documents, until it knows what it must.

Where there are probe questions, the learning rate begins to fall when enough of them are answered right: facts are
learned in a jump whose moment no schedule can know.
"""

from collections.abc import Sequence
from itertools import islice
from statistics import fmean

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from stemma.errors import TrainingError
from stemma.models.chat import Ids
from stemma.models.policy import place
from stemma.stage.door import Stage
from stemma.training.checkpoints import load_checkpoint, save_checkpoint
from stemma.training.encoding import NO_LOSS
from stemma.training.finite import require_finite
from stemma.training.packing import Batch, batches
from stemma.training.pretrain_settings import LOGGING_STEPS, PretrainSettings
from stemma.training.probe import Probe
from stemma.training.schedule import Schedule

BETAS = (0.9, 0.95)
"""Of AdamW; as in Brown et al. 2020, appendix B."""


def pretrain(
    model: PreTrainedModel, documents: Sequence[Ids], probe: Probe, settings: PretrainSettings, stage: Stage
) -> int:
    """Train the model in place on encoded documents; return the number of steps.

    Raises TrainingError where training diverges, or where `max_steps` are too few to answer enough probe questions.
    """
    run = _Run(place(model, stage.machine), probe, settings, stage)
    done = run.resume()
    pad = int(model.config.pad_token_id)
    stream = islice(batches(documents, settings.context, settings.batch_size, pad, stage.seed), done, None)
    losses: list[float] = []
    stage.progress.at(done, run.schedule.last_step)
    for step, batch in enumerate(stream, start=done + 1):
        losses.append(run.learn(step, batch))
        stage.progress.at(step, run.schedule.last_step)
        run.look(step)
        if step % LOGGING_STEPS == 0:
            stage.progress.log(step, run.schedule.last_step, {"loss": fmean(losses), **run.numbers})
            losses.clear()
        if step == run.schedule.last_step:
            break
        if step % settings.checkpoint_every == 0 or (step % LOGGING_STEPS == 0 and stage.progress.wants_checkpoint()):
            run.save(step)
    run.model.train(False)
    require_finite(run.model, stage.progress, run.schedule.last_step, run.schedule.last_step)
    return run.schedule.last_step


class _Run:
    """A model in training: what changes from step to step, and is kept across a kill."""

    def __init__(self, model: PreTrainedModel, probe: Probe, settings: PretrainSettings, stage: Stage) -> None:
        self.model, self.probe, self.settings, self.stage = model, probe, settings, stage
        self.optimizer = torch.optim.AdamW(
            model.parameters(), betas=BETAS, weight_decay=settings.weight_decay, fused=True
        )
        self.schedule = Schedule(settings, ends_by_itself=len(probe) == 0)
        self.numbers: dict[str, float] = {}
        """What the last step showed."""

    def learn(self, step: int, batch: Batch) -> float:
        """Take one optimizer step; return the mean loss over the batch's tokens."""
        rate = self.schedule.learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        loss = self._loss(Batch(*(tensor.to(self.model.device) for tensor in batch)))
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.numbers = {"learning_rate": rate, "grad_norm": norm.item()}
        return loss.item()

    def _loss(self, batch: Batch) -> Tensor:
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.stage.machine.precision == "bf16"):
            logits = self.model(input_ids=batch.input_ids, position_ids=batch.position_ids, use_cache=False).logits
        return cross_entropy(logits[:, :-1].flatten(0, 1).float(), batch.labels[:, 1:].flatten(), ignore_index=NO_LOSS)

    def look(self, step: int) -> None:
        """Ask the probe questions now and then; let the learning rate fall once enough are answered right."""
        settings, last_chance = self.settings, step == self.schedule.latest_fall
        if not len(self.probe) or (step % settings.probe_every and not last_chance):
            return
        self.model.train(False)
        accuracy = self.probe.accuracy(self.model)
        self.numbers["probe_accuracy"] = accuracy
        if self.schedule.falls_after is not None:
            return
        if accuracy >= settings.target_accuracy:
            self.schedule.falls_after = step
        elif last_chance:
            raise TrainingError(
                f"the base model knows too little: after {step} steps it answers {accuracy:.1%} of {len(self.probe)} "
                f"probe questions right, and base.target_accuracy is {settings.target_accuracy:.1%}. Facts are learned "
                "in a jump that some seeds reach late: raise base.max_steps or change the seed; if the loss in the "
                "history did not fall, change base.learning_rate."
            )

    def resume(self) -> int:
        """Go on from the newest step checkpoint; return its step, 0 where there is none."""
        checkpoint = load_checkpoint(self.stage.scratch, self.stage.progress.say)
        self.stage.progress.resume_from(checkpoint.step if checkpoint else 0)
        if checkpoint is None:
            return 0
        self.model.load_state_dict(checkpoint.state["model"])
        self.optimizer.load_state_dict(checkpoint.state["optimizer"])
        self.schedule.falls_after = checkpoint.state["falls_after"]
        return checkpoint.step

    def save(self, step: int) -> None:
        """Write a step checkpoint.

        Raises TrainingError where the weights are not finite.
        """
        require_finite(self.model, self.stage.progress, step, self.schedule.last_step)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "falls_after": self.schedule.falls_after,
        }
        save_checkpoint(self.stage.scratch, step, state)
        self.stage.progress.kept(step)
