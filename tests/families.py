"""Small models of families that take positions in different ways: rotary, learned with and without an offset, ALiBi."""

from typing import Any

from transformers import BloomConfig, GPT2Config, LlamaConfig, OPTConfig, PretrainedConfig

TOKENS: dict[str, Any] = {"vocab_size": 64, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 4}
FAMILIES: list[PretrainedConfig] = [
    LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64,
        **TOKENS,
    ),
    GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=64, **TOKENS),
    OPTConfig(hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2, word_embed_proj_dim=32, **TOKENS),
    BloomConfig(hidden_size=32, n_layer=2, n_head=2, **TOKENS),
]  # fmt: skip
