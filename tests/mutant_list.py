"""One wrong line each, and the tests that notice it within seconds."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A fault that somebody could make in one line."""

    group: str
    what: str
    file: str
    line: str
    """A text that the file has once."""
    mutated: str
    tests: tuple[str, ...]
    """Names of pytest, of tests that must fail."""


UNIT = "tests/unit"
ROLLOUTS = f"{UNIT}/sampling/test_rollouts.py"
DECODING = f"{UNIT}/sampling/test_decoding.py"
GENERATE = f"{UNIT}/sampling/test_generate.py"
STEP = f"{UNIT}/training/test_ppo_step.py"
LEARNER = f"{UNIT}/training/test_ppo_learner.py"
LOOP = f"{UNIT}/training/test_ppo_loop.py"
ON_POLICY = f"{UNIT}/training/test_ppo_on_policy.py"
SCALAR = f"{UNIT}/models/test_scalar.py"
PPO_LOSSES = f"{UNIT}/objectives/test_ppo_losses.py"
REWARDS = f"{UNIT}/objectives/test_rewards.py"
GAE = f"{UNIT}/objectives/test_gae.py"
PREFERENCE = f"{UNIT}/objectives/test_preference.py"
ENCODING = f"{UNIT}/training/test_encoding.py"
LOGPS = f"{UNIT}/training/test_answer_logps.py"
SOFT_LABELS = f"{UNIT}/training/test_soft_labels.py"
HELD_OUT = f"{UNIT}/training/test_held_out.py"
METRICS = f"{UNIT}/evaluation/test_metrics.py"

_LEARNER = "stemma/training/ppo_learner.py"
_ROLLOUTS = "stemma/sampling/rollouts.py"
_FORWARD = "stemma/sampling/forward.py"
_EXPERIENCE = "stemma/training/ppo_experience.py"
_SCALAR = "stemma/models/scalar.py"

PPO = [
    Mutant("ppo", "1 reward model's scores unscaled", _ROLLOUTS,
        "scores=models.scaling.apply(sequence_scores(models.reward_model, sequences, attention_mask))",
        "scores=sequence_scores(models.reward_model, sequences, attention_mask)",
        (f"{ROLLOUTS}::test_each_number_is_that_of_a_plain_forward_without_cache_and_padding",)),
    Mutant("ppo", "2 values shifted by one position", _FORWARD,
        "attention_mask)[:, -length - 1 : -1]", "attention_mask)[:, -length:]",
        (f"{ROLLOUTS}::test_each_number_is_that_of_a_plain_forward_without_cache_and_padding",)),
    Mutant("ppo", "3 k3 charged as KL instead of k1", "stemma/objectives/rewards.py",
        "-kl_coef * kl_k1(logprobs, ref_logprobs)",
        "-kl_coef * ((ref_logprobs - logprobs).expm1() - (ref_logprobs - logprobs))",
        (f"{REWARDS}::test_kl_at_every_token_and_the_score_at_the_last",)),
    Mutant("ppo", "4 the EOS token masked out of the response", "stemma/sampling/decoding.py",
        "ended_before = ended.cumsum(-1) - ended.long() > 0", "ended_before = ended.cumsum(-1) > 0",
        (f"{DECODING}::test_a_response_counts_up_to_and_including_its_end",)),
    Mutant("ppo", "5 minimum instead of maximum in the clipped policy loss", "stemma/objectives/ppo.py",
        "torch.max(unclipped, clipped), mask),  # Schulman", "torch.min(unclipped, clipped), mask),  # Schulman",
        (f"{PPO_LOSSES}::test_policy_loss_on_both_sides_of_the_clip",)),
    Mutant("ppo", "6 value loss without its factor of one half", "stemma/objectives/ppo.py",
        "loss=0.5 * masked_mean", "loss=masked_mean",
        (f"{PPO_LOSSES}::test_value_loss_on_both_sides_of_the_clip",)),
    Mutant("ppo", "7 no gradient clipping", _LEARNER,
        "clip_grad_norm_(trained(model), self.settings.max_grad_norm)", "clip_grad_norm_(trained(model), torch.inf)",
        (f"{LEARNER}::test_the_gradient_is_clipped_for_each_model_apart",)),
    Mutant("ppo", "8 constant learning rate", _LEARNER,
        "(1 - (update - 1 - warmup) / (updates - warmup)) if update", "1.0 if update",
        (f"{LEARNER}::test_both_learning_rates_fall_to_0_after_the_last_update",)),
    Mutant("ppo", "9 the model's generation_config left in force", "stemma/sampling/decoding.py",
        "with own_generation_config_ignored(policy):", "if True:",
        (f"{DECODING}::test_no_field_of_the_model_s_generation_config_changes_what_is_drawn",)),
    Mutant("ppo", "10 value_learning_rate ignored", _LEARNER,
        "value = settings.value_learning_rate *", "value = settings.learning_rate *",
        (f"{LEARNER}::test_the_value_learning_rate_scales_the_value_models_steps_and_not_the_policys",)),
    Mutant("ppo", "11 advantages not whitened", _EXPERIENCE,
        "advantages=masked_whiten(advantages, rollouts.mask)", "advantages=advantages",
        (f"{STEP}::test_advantages_have_mean_0_and_standard_deviation_1",)),
    Mutant("ppo", "12 temperature ignored in the backward pass", _LEARNER,
        "batch.attention_mask, length, settings.temperature", "batch.attention_mask, length",
        (f"{ON_POLICY}::test_the_first_minibatch_of_every_update_finds_a_log_ratio_of_0",)),
    Mutant("ppo", "13 reference log-probabilities at temperature 1", _ROLLOUTS,
        "response_logits(ref_policy, sequences, attention_mask, length, decoding.temperature)",
        "response_logits(ref_policy, sequences, attention_mask, length)",
        (f"{ROLLOUTS}::test_logprobs_are_those_of_the_distribution_sampled_from",)),
    Mutant("ppo", "14 no position ids for the policy's logits", _FORWARD,
        'takes_positions = "position_ids" in inspect.signature(whole.forward).parameters', "takes_positions = False",
        (f"{ON_POLICY}::test_sampling_and_training_read_the_same_log_probabilities",)),
    Mutant("ppo", "15 Adam's epsilon 1e-2", _LEARNER, "ADAM_EPSILON = 1e-5", "ADAM_EPSILON = 1e-2",
        (f"{STEP}::test_the_first_step_is_adams_with_an_epsilon_of_1e_5",)),
    Mutant("ppo", "16 policy's backward pass not in bf16", _LEARNER,
        "with autocast(self.machine):\n            logits", "with torch.enable_grad():\n            logits",
        (f"{STEP}::test_bf16_gradients_differ_from_fp32_by_rounding_and_no_more",)),
    Mutant("ppo", "17 the same minibatch order in every update", "stemma/training/ppo.py",
        'derived_seed(stage.seed, "minibatches", update)', 'derived_seed(stage.seed, "minibatches", 0)',
        (f"{STEP}::test_every_update_takes_its_minibatches_in_another_order",)),
    Mutant("ppo", "18 value model left in training mode", _LEARNER, "    models.value_model.eval()\n", "",
        (f"{STEP}::test_dropout_is_off_in_both_networks",)),
]  # fmt: skip

PPO_MORE = [
    Mutant("ppo-more", "value model's backward pass not in bf16", _LEARNER,
        "with autocast(self.machine):\n            values", "with torch.enable_grad():\n            values",
        (f"{STEP}::test_bf16_gradients_differ_from_fp32_by_rounding_and_no_more",)),
    Mutant("ppo-more", "policy left in training mode", _LEARNER, "    models.policy.eval()\n", "",
        (f"{STEP}::test_dropout_is_off_in_both_networks",)),
    Mutant("ppo-more", "values of the backward pass unscaled", _LEARNER,
        "values = self.models.scaling.apply(values)", "values = 1.0 * values",
        (f"{STEP}::test_dropout_is_off_in_both_networks",)),
    Mutant("ppo-more", "values of the rollouts unscaled", _ROLLOUTS,
        "values=models.scaling.apply(values)", "values=values",
        (f"{ROLLOUTS}::test_each_number_is_that_of_a_plain_forward_without_cache_and_padding",)),
    Mutant("ppo-more", "no position ids for the values", _SCALAR,
        "if _takes_positions(trunk) else {}", "if False else {}",
        (f"{SCALAR}::test_padding_on_the_left_changes_no_value_of_any_family",)),
    Mutant("ppo-more", "scalar head under autocast", _SCALAR, "enabled=False", "enabled=True",
        (f"{SCALAR}::test_the_head_computes_in_32_bits_under_autocast",)),
    Mutant("ppo-more", "scalar head not cast to 32 bits", _SCALAR,
        "return super().forward(hidden.float())", "return super().forward(hidden.bfloat16().float())",
        (f"{SCALAR}::test_the_score_is_what_the_trainer_of_trl_trains",
         f"{SCALAR}::test_the_head_computes_in_32_bits_under_autocast")),
    Mutant("ppo-more", "the policy learns during the warm-up", _LEARNER,
        'return ("value",) if update <= settings.value_warmup_updates else BOTH', "return BOTH",
        (f"{LOOP}::test_the_policy_stays_at_its_reference_until_the_value_model_is_warm",)),
    Mutant("ppo-more", "the policy's schedule starts before the warm-up ends", _LEARNER,
        "(1 - (update - 1 - warmup) / (updates - warmup)) if update", "(1 - (update - 1) / updates) if update",
        (f"{LEARNER}::test_after_the_warm_up_the_policy_begins_at_its_whole_learning_rate",)),
    Mutant("ppo-more", "the same minibatches whatever the seed", _LEARNER,
        "random = torch.Generator().manual_seed(seed)", "random = torch.Generator().manual_seed(0 * seed)",
        (f"{STEP}::test_every_update_takes_its_minibatches_in_another_order",)),
    Mutant("ppo-more", "gradients of earlier steps kept", _LEARNER,
        "self.optimizers[name].zero_grad()", "pass", (f"{LEARNER}::test_micro_batches_change_nothing",
         f"{LEARNER}::test_every_step_begins_without_gradients")),
    Mutant("ppo-more", "weight decay", _LEARNER,
        "return adam(parameters, lr=rate, eps=ADAM_EPSILON, weight_decay=0.0)",
        "return adam(parameters, lr=rate, eps=ADAM_EPSILON, weight_decay=0.1)",
        (f"{STEP}::test_the_first_step_is_adams_with_an_epsilon_of_1e_5",)),
    Mutant("ppo-more", "micro-batches weigh alike", _LEARNER,
        "share = micro.mask.sum() / minibatch.mask.sum()",
        "share = torch.tensor(len(micro.mask) / len(minibatch.mask))",
        (f"{LEARNER}::test_micro_batches_of_unequal_length_weigh_by_their_tokens",)),
    Mutant("ppo-more", "gamma and lam exchanged", _EXPERIENCE,
        "settings.gamma, settings.lam", "settings.lam, settings.gamma", (f"{STEP}::test_experience_by_hand",)),
    Mutant("ppo-more", "no penalty for a missing end", _EXPERIENCE,
        "scores = charge_missing_eos(rollouts.scores, rollouts.finished, settings.missing_eos_penalty)",
        "scores = charge_missing_eos(rollouts.scores, rollouts.finished, 0.0)",
        (f"{STEP}::test_experience_by_hand",)),
    Mutant("ppo-more", "finished responses pay the penalty", "stemma/objectives/rewards.py",
        "torch.where(finished, scores, scores - penalty)", "torch.where(finished, scores - penalty, scores)",
        (f"{REWARDS}::test_only_unfinished_responses_pay_the_penalty",)),
    Mutant("ppo-more", "the value after the end is the last value", "stemma/objectives/gae.py",
        "torch.zeros_like(values[:, :1])], dim=1)", "values[:, -1:]], dim=1)", (f"{GAE}::test_worked_on_paper",)),
    Mutant("ppo-more", "returns without the values", "stemma/objectives/gae.py",
        "Advantages(advantages, advantages + values)", "Advantages(advantages, advantages)",
        (f"{GAE}::test_worked_on_paper",)),
    Mutant("ppo-more", "the same responses in every update", "stemma/training/ppo.py",
        'derived_seed(seed, "rollouts", update)', 'derived_seed(seed, "rollouts", 0)',
        (f"{LOOP}::test_every_update_draws_responses_of_its_own",)),
    Mutant("ppo-more", "optimizers not restored", "stemma/training/ppo_state.py",
        '        optimizer.load_state_dict(checkpoint.state["optimizers"][name])', "        pass",
        (f"{LOOP}::test_a_killed_run_ends_like_one_that_was_not",)),
]  # fmt: skip

SFT = [
    Mutant("sft", "the prompt is learned too", "stemma/training/encoding.py",
        "labels = [NO_LOSS] * len(last)", "labels = list(last)",
        (f"{ENCODING}::test_only_the_answer_and_its_end_are_learned",)),
    Mutant("sft", "the last answer alone is learned", "stemma/training/encoding.py",
        '0 if turns == "all" else -1 :', "-1 :",
        (f"{ENCODING}::test_every_assistant_turn_is_learned_with_its_end",)),
    Mutant("sft", "the end of the turn is not learned", "stemma/training/encoding.py",
        "labels[len(prefix) : end] = answer", "labels[len(prefix) : end - 1] = answer[:-1]",
        (f"{ENCODING}::test_only_the_answer_and_its_end_are_learned",)),
    Mutant("sft", "a row that does not fit is let through", "stemma/training/encoding.py",
        "too_long = sum(length > context for length in lengths)", "too_long = 0",
        (f"{ENCODING}::test_a_row_that_does_not_fit_is_named_and_never_cut",)),
]  # fmt: skip

REWARD = [
    Mutant("reward", "loss of the wrong sign", "stemma/objectives/preference.py",
        "-(targets * logsigmoid(margins) + (1 - targets) * logsigmoid(-margins))",
        "-(targets * logsigmoid(-margins) + (1 - targets) * logsigmoid(margins))",
        (f"{PREFERENCE}::test_preference_by_hand",)),
    Mutant("reward", "soft targets ignored", "stemma/objectives/preference.py",
        "-(targets * logsigmoid(margins) + (1 - targets) * logsigmoid(-margins))", "-logsigmoid(margins)",
        (f"{PREFERENCE}::test_preference_by_hand",)),
    Mutant("reward", "the score is that of the last column", _SCALAR,
        "last = (attention_mask * order).argmax(dim=1, keepdim=True)",
        "last = (0 * attention_mask + order).argmax(dim=1, keepdim=True)",
        (f"{SCALAR}::test_the_score_is_the_value_at_the_last_token_that_is_not_padding",)),
    Mutant("reward", "smoothing replaces the label's own chance", "stemma/training/soft_labels.py",
        "1 - label_smoothing if row.probability is None else row.probability", "1 - label_smoothing",
        (f"{SOFT_LABELS}::test_smoothing_is_for_rows_without_a_chance_of_their_own",)),
    Mutant("reward", "an accuracy that could be a coin's passes", "stemma/training/held_out.py",
        "if accuracy.low > CHANCE:", "if accuracy.estimate > CHANCE:",
        (f"{HELD_OUT}::test_what_is_better_than_chance_passes_and_what_only_looks_so_does_not",)),
    Mutant("reward", "an equal score counts as agreement", "stemma/evaluation/pairs.py",
        "0.5 if chosen == rejected else", "1.0 if chosen == rejected else",
        (f"{UNIT}/evaluation/test_pairs.py::test_an_equal_score_counts_half",)),
]  # fmt: skip

DPO = [
    Mutant("dpo", "log-probabilities of the answers shifted by one", _FORWARD,
        "output.logits[:, :-1].float()", "output.logits[:, 1:].float()",
        (f"{LOGPS}::test_an_answers_logp_is_the_sum_over_its_tokens_given_those_before",)),
    Mutant("dpo", "the padding counts in an answer's log-probability", "stemma/training/answer_logps.py",
        "answer_mask.bool()", "torch.ones_like(answer_mask).bool()",
        (f"{LOGPS}::test_an_answers_logp_is_the_sum_over_its_tokens_given_those_before",)),
    Mutant("dpo", "imitation of answers that may as well be the worse", "stemma/objectives/preference.py",
        "(2 * targets - 1) * by_row", "targets * by_row", (f"{PREFERENCE}::test_imitation_by_hand",)),
    Mutant("dpo", "soft loss without the reference", "stemma/training/dpo.py",
        '(chosen - batch["ref_chosen_logps"]) - (rejected - batch["ref_rejected_logps"])', "chosen - rejected",
        (f"{UNIT}/training/test_dpo_loss.py",)),
    Mutant("dpo", "soft loss without beta", "stemma/training/dpo.py",
        "preference_loss(self.beta * margins, targets)", "preference_loss(margins, targets)",
        (f"{UNIT}/training/test_dpo_loss.py",)),
    Mutant("dpo", "soft loss without the rows' weights", "stemma/training/dpo.py",
        "return (weights * loss).mean()", "return loss.mean()", (f"{UNIT}/training/test_dpo_loss.py",)),
    Mutant("dpo", "sft_weight ignored in the soft loss", "stemma/training/dpo.py",
        "loss = loss + self._sft_weight * imitation_loss(answers, mask, targets)", "pass",
        (f"{UNIT}/training/test_dpo_loss.py",)),
    Mutant("dpo", "implicit rewards of the wrong sign", "stemma/training/dpo.py",
        "[ours - theirs for ours, theirs in zip(new, old, strict=True)]",
        "[theirs - ours for ours, theirs in zip(new, old, strict=True)]", (f"{UNIT}/training/test_dpo_loss.py",)),
]  # fmt: skip

SAMPLING = [
    Mutant("sampling", "prompts padded on the right", "stemma/sampling/prompts.py",
        "[pad_token_id] * (width - len(prompt)) + list(prompt)",
        "list(prompt) + [pad_token_id] * (width - len(prompt))",
        (f"{DECODING}::test_prompts_end_in_the_same_column",)),
    Mutant("sampling", "temperature ignored by the sampler", "stemma/sampling/decoding.py",
        "TokenSampler(rows, decoding.temperature, seed, policy.device)", "TokenSampler(rows, 1.0, seed, policy.device)",
        (f"{ON_POLICY}::test_sampling_and_training_read_the_same_log_probabilities",)),
    Mutant("sampling", "every batch draws with the same seed", "stemma/sampling/generate.py",
        "next(seeds)", "seed", (f"{GENERATE}::test_batches_of_one_run_draw_apart",)),
    Mutant("sampling", "the seed of sampling is 0", "stemma/sampling/decoding.py",
        "decoding.temperature, seed, policy.device", "decoding.temperature, 0 * seed, policy.device",
        (f"{DECODING}::test_the_seed_decides_and_the_process_is_left_alone",)),
    Mutant("sampling", "every response counts as finished", "stemma/sampling/decoding.py",
        "ended.any(-1), logprobs", "ended.any(-1) | True, logprobs",
        (f"{DECODING}::test_a_response_counts_up_to_and_including_its_end",)),
]  # fmt: skip

EVALUATION = [
    Mutant("evaluation", "a tie counts as a loss", "stemma/evaluation/win_rate.py",
        "rates = [(1 + win - loss) / 2 for", "rates = [win for",
        (f"{UNIT}/evaluation/test_win_rate.py::test_a_tie_counts_half",)),
    Mutant("evaluation", "KL of the wrong sign", "stemma/evaluation/kl.py",
        "differences = [ours - theirs for", "differences = [theirs - ours for",
        (f"{UNIT}/evaluation/test_kl_interval.py",)),
    Mutant("evaluation", "every answer counts as a prompt", "stemma/evaluation/kl.py",
        "[fmean(differences[i : i + samples]) for i in range(0, len(differences), samples)]", "differences",
        (f"{UNIT}/evaluation/test_kl_interval.py",)),
    Mutant("evaluation", "hallucination counts abstentions", "stemma/evaluation/metrics.py",
        '"gold/hallucination": (["unknown"], "wrong")', '"gold/hallucination": (["unknown"], "abstain")',
        (f"{METRICS}::test_every_number_by_hand",)),
    Mutant("evaluation", "shares over answers instead of prompts", "stemma/evaluation/metrics.py",
        "wilson(sum(fmean(of_prompt) for of_prompt in hits), len(hits))",
        "wilson(sum(map(sum, hits)), sum(map(len, hits)))",
        (f"{METRICS}::test_intervals_are_over_prompts_not_over_answers",)),
    Mutant("evaluation", "an interval of 68 %", "stemma/evaluation/intervals.py",
        "z = NormalDist().inv_cdf(0.5 + confidence / 2)", "z = 1.0",
        (f"{UNIT}/evaluation/test_intervals.py::test_wilson_equals_published_intervals",)),
    Mutant("evaluation", "repetition counts single tokens", "stemma/evaluation/repetition.py",
        "N = 3\n", "N = 1\n", (f"{UNIT}/evaluation/test_repetition.py",)),
    Mutant("evaluation", "one mean for sampled and greedy answers", "stemma/sampling/answer_sets.py",
        '"greedy": draw(1, 0.0)', '"greedy": draw(1, 1.0)', (f"{UNIT}/sampling/test_answer_sets.py",)),
]  # fmt: skip

MUTANTS = [*PPO, *PPO_MORE, *SFT, *REWARD, *DPO, *SAMPLING, *EVALUATION]
