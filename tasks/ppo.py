"""Train the policy with PPO against the reward model."""

from collections.abc import Mapping

from stemma.config import LoraConfig, Tuning
from stemma.stage.door import Stage, run_stage
from stemma.training.ppo_settings import PpoSettings


class PpoConfig(PpoSettings):
    """Settings of the ppo stage."""

    tuning: Tuning = "full"
    """Train every weight, or low-rank adapters over the frozen SFT and reward models; the reference is then free."""
    lora: LoraConfig = LoraConfig()
    """Size of the adapters where tuning is lora."""


def train_ppo(config: PpoConfig, stage: Stage) -> Mapping[str, float]:
    """Leave in the stage's output a policy that the reward model likes better and that stays near the SFT model.

    Where the watch stops training, it is the policy of the look that the judge liked best; watch.json says why.
    """
    from stemma.models.policy import save_policy
    from stemma.models.seeding import seed_everything
    from stemma.models.tokenizer import load_tokenizer
    from stemma.sampling.decoding import Decoding
    from stemma.training import ppo
    from stemma.training.ppo_models import load_ppo_models
    from stemma.training.ppo_prompts import load_prompts
    from stemma.training.ppo_watch import load_watch

    seed_everything(stage.seed, stage.machine.threads)
    sft = stage.input("sft")
    tokenizer = load_tokenizer(sft)
    models = load_ppo_models(sft, stage.input("reward"), stage.machine, config.tuning, config.lora)
    prompts = load_prompts(stage.input("data"), tokenizer, models.policy, config.max_new_tokens)
    decoding = Decoding(config.max_new_tokens, config.temperature, tokenizer.eos_token_id, tokenizer.pad_token_id)
    watch = load_watch(models, tokenizer, decoding, config, stage)
    ppo.train_ppo(models, prompts, decoding, config, stage, watch)
    save_policy(models.policy, tokenizer, stage.output, base=sft)
    if watch is None:
        return {"watch/stopped": 0, "watch/saved_update": config.updates}
    return watch.write_outcome(stage.output / "watch.json")


if __name__ == "__main__":
    run_stage("ppo", PpoConfig, train_ppo)
