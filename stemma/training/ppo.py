"""Proximal policy optimisation of a language model against a reward model (Ziegler et al. 2019, Ouyang et al. 2022).

Each update: sample responses, score them, charge their distance from the reference, estimate advantages, and improve
policy and value model on them. Left out: adaptive KL, mixing in pre-training gradients, reward whitening.
"""

from collections.abc import Sequence

from stemma.sampling.decoding import Decoding
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import PpoModels, Rollouts, collect_rollouts
from stemma.stage.door import Stage
from stemma.training.ppo_experience import experience_of
from stemma.training.ppo_learner import Learner, autocast, new_learner, set_learning_rate
from stemma.training.ppo_metrics import rollout_metrics
from stemma.training.ppo_settings import PpoSettings
from stemma.training.ppo_state import restore, save
from stemma.training.prompt_order import batch_of_prompts
from stemma.training.seeds import derived_seed


def train_ppo(
    models: PpoModels, prompts: Sequence[Sequence[int]], decoding: Decoding, settings: PpoSettings, stage: Stage
) -> None:
    """Improve models.policy and models.value_model in place; prompts are token ids.

    Goes on from the newest step checkpoint in stage.scratch, with the result of a run that was never killed. Raises
    TrainingError where a number is no longer finite.
    """
    checkpoints = stage.scratch / "checkpoints"
    learner = new_learner(models, settings, stage.machine)
    done = restore(learner, checkpoints)
    stage.progress.resume_from(done)
    for update in range(done + 1, settings.updates + 1):
        rate = set_learning_rate(learner.optimizer, settings, update)
        rollouts = _rollouts_of(update, learner, prompts, decoding, stage.seed)
        experience = experience_of(rollouts, settings)
        metrics = rollout_metrics(rollouts, experience)
        metrics |= learner.improve(experience, derived_seed(stage.seed, "minibatches", update))
        stage.progress.log(update, settings.updates, metrics | {"learning_rate": rate})
        if update % settings.checkpoint_every == 0 or stage.progress.wants_checkpoint():
            save(learner, checkpoints, update)
            stage.progress.kept(update)


def _rollouts_of(
    update: int, learner: Learner, prompts: Sequence[Sequence[int]], decoding: Decoding, seed: int
) -> Rollouts:
    settings, models = learner.settings, learner.models
    indices = batch_of_prompts(len(prompts), settings.rollouts, update, seed)
    batch = pad_left([prompts[i] for i in indices], decoding.pad_token_id, models.policy.device)
    with autocast(learner.machine):
        return collect_rollouts(
            models, batch, decoding, derived_seed(seed, "rollouts", update), settings.micro_batch_size
        )
