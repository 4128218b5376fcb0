"""Proximal policy optimisation of a language model against a reward model (Ziegler et al. 2019, Ouyang et al. 2022).

Each update: sample responses, score them, charge their distance from the reference, estimate advantages, and improve
policy and value model on them; at first the value model alone, where it is to warm up. Left out: adaptive KL, mixing in
pre-training gradients, reward whitening.
"""

from collections.abc import Sequence

from stemma.sampling.decoding import Decoding
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import PpoModels, Rollouts, collect_rollouts
from stemma.stage.door import Stage
from stemma.stage.rank import first_goes_on_alone
from stemma.training.among_ranks import as_first_says
from stemma.training.finite import require_finite
from stemma.training.ppo_experience import experience_of
from stemma.training.ppo_learner import Learner, autocast, learning_networks, new_learner, set_learning_rates
from stemma.training.ppo_metrics import rollout_metrics
from stemma.training.ppo_on_policy import require_on_policy
from stemma.training.ppo_settings import PpoSettings, check_processes
from stemma.training.ppo_shares import own_share, whole_rollouts
from stemma.training.ppo_state import restore, save
from stemma.training.ppo_watch import Watch
from stemma.training.prompt_order import batch_of_prompts
from stemma.training.seeds import derived_seed


def train_ppo(
    models: PpoModels,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    settings: PpoSettings,
    stage: Stage,
    watch: Watch | None = None,
) -> None:
    """Improve models.policy and models.value_model in place; prompts are token ids.

    Where the watch stops it, models.policy is left as it was at the best look. Several ranks share every update's
    prompts and come to what one process would; the first returns, with the watch, and the others end here. Goes on
    from the newest step checkpoint in stage.scratch, with the result of a run that was never killed. Raises
    TrainingError where a number or a weight is no longer finite, or where responses were not drawn from the policy that
    learns from them, of which no step checkpoint is made, and SettingsError where the ranks cannot share an update.
    """
    check_processes(settings, stage.machine)
    checkpoints = stage.scratch / "checkpoints"
    learner = new_learner(models, settings, stage.machine)
    done = restore(learner, watch, checkpoints, stage.progress.say)
    stage.progress.resume_from(done)
    stage.progress.at(done, settings.updates)
    if watch and not done:
        stage.progress.log(0, settings.updates, watch.look(learner, 0))
    for update in range(done + 1, settings.updates + 1):
        metrics = _update(update, learner, prompts, decoding, stage)
        metrics |= watch.look(learner, update) if watch else {}
        stage.progress.log(update, settings.updates, metrics)
        if as_first_says(bool(watch and watch.message)):
            break
        if as_first_says(stage.progress.wants_checkpoint()) or update % settings.checkpoint_every == 0:
            save(learner, watch, checkpoints, update)
            stage.progress.kept(update)
    first_goes_on_alone()
    if watch and watch.message:
        stage.progress.say(watch.message)
        watch.put_back(learner)


def _update(
    update: int, learner: Learner, prompts: Sequence[Sequence[int]], decoding: Decoding, stage: Stage
) -> dict[str, float]:
    """Sample, learn, and return the numbers."""
    rates = set_learning_rates(learner, update)
    rollouts = _rollouts_of(update, learner, prompts, decoding, stage.seed)
    updates = learner.settings.updates
    if rollouts.scores.isfinite().all() and not rollouts.values[rollouts.mask].isfinite().all():
        # These values would make the policy's loss NaN too, and the message name its learning rate.
        raise stage.progress.diverged("a value is not finite", update, updates, "value_learning_rate")
    experience = experience_of(rollouts, learner.settings)
    metrics = rollout_metrics(rollouts, experience)
    networks = learning_networks(learner.settings, update)
    metrics |= learner.improve(experience, derived_seed(stage.seed, "minibatches", update), networks)
    require_finite(learner.models.policy, stage.progress, update, updates)
    require_finite(learner.models.value_model, stage.progress, update, updates, "value_learning_rate")
    require_on_policy(metrics, update, stage.machine)
    return metrics | {"learning_rate": rates["policy"], "value/learning_rate": rates["value"]}


def _rollouts_of(
    update: int, learner: Learner, prompts: Sequence[Sequence[int]], decoding: Decoding, seed: int
) -> Rollouts:
    settings, models = learner.settings, learner.models
    indices = batch_of_prompts(len(prompts), settings.rollouts, update, seed)
    batch = pad_left([prompts[i] for i in indices], decoding.pad_token_id, models.policy.device)
    with autocast(learner.machine):
        own = collect_rollouts(
            models,
            batch,
            decoding,
            derived_seed(seed, "rollouts", update),
            settings.micro_batch_size,
            own_share(settings),
        )
    return whole_rollouts(own, decoding.pad_token_id)
