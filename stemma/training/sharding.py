"""Training whose state is divided among the ranks by DeepSpeed's ZeRO (Rajbhandari et al. 2020)."""

import os
import warnings
from typing import Any

from torch import Tensor, nn
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from stemma.config import MachineConfig
from stemma.stage.rank import is_first

# deepspeed 0.19 calls torch 2.13's collectives by names that go out of use, at every step
warnings.filterwarnings("ignore", "`torch.distributed", FutureWarning)

STAGES = {"zero1": 1, "zero2": 2, "zero3": 3}


def sharded_arguments(machine: MachineConfig) -> dict[str, Any]:
    """The arguments of a trainer of TRL by which its ranks shard what machine.sharding says; none where that is none.

    16-bit arithmetic is autocast's here too, because DeepSpeed's own would train on 16-bit weights.
    """
    if machine.sharding == "none":
        return {}
    if machine.device == "cpu":
        _keep_to_plain_cpu()
    bf16 = {"enabled": machine.precision == "bf16", "dtype": "bfloat16"}
    return {"bf16": False, "deepspeed": {"zero_optimization": _zero(machine), "torch_autocast": bf16, **_FROM_TRAINER}}


def _keep_to_plain_cpu() -> None:
    """Stay on the CPU, with gloo alone between the ranks.

    DeepSpeed would take a GPU where there is one, and compile messages by shared memory on first use: a kill in the
    midst of that leaves a lock behind, on which every later run waits for ever.
    """
    os.environ["DS_ACCELERATOR"] = "cpu"
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


_FROM_TRAINER = {
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
}
"""What DeepSpeed is told again from the trainer's arguments."""


def _zero(machine: MachineConfig) -> dict[str, Any]:
    stage = STAGES[machine.sharding]
    sizes = ["reduce_bucket_size"]  # by the model's width: the defaults are gigabytes
    if stage == 3:
        sizes += ["stage3_prefetch_bucket_size", "stage3_param_persistence_threshold"]
    return {
        "stage": stage,
        "stage3_gather_16bit_weights_on_model_save": stage == 3,
        **dict.fromkeys(sizes, "auto"),
    }


def gathered_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights that learned, whole and in 32 bits, on the first rank's CPU; every rank must call it.

    Afterwards models load as ever: transformers would shard every model while it knows of a sharded training.
    """
    from deepspeed.utils.tensor_fragment import safe_get_full_fp32_param

    weights = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            whole = safe_get_full_fp32_param(parameter)  # type: ignore[no-untyped-call]
            if is_first():
                weights[name] = whole.detach().to("cpu", copy=True)
    unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    return weights
