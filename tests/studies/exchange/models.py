"""Random small models of every family that absorb reads, by transformers: their folders, and what they say of a text.

    models.py OUT

makes OUT/<family>/ (config.json, model.safetensors) and OUT/<family>.expected.safetensors (tokens, logits, loss).

    models.py OUT again FAMILY...

reads OUT/<family>-exported/ and writes OUT/<family>.again.safetensors: its logits of the same tokens, and the 16 tokens
that generate() adds to them greedily.

    models.py OUT train FAMILY...

trains OUT/<family>/ by PyTorch's AdamW on the batches and rates of OUT/<family>.batches.safetensors, and writes the
losses of the steps to OUT/<family>.losses.safetensors."""

import sys

import torch
import transformers as t
from safetensors.torch import load_file, save_file

SIZES = dict(
    vocab_size=96,
    hidden_size=32,
    intermediate_size=56,
    num_hidden_layers=3,
    num_attention_heads=4,
    max_position_embeddings=64,
    bos_token_id=0,
    eos_token_id=0,
    pad_token_id=0,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=5e5,
    factor=32.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)


def models():
    yield "gpt2", t.GPT2LMHeadModel(
        t.GPT2Config(vocab_size=96, n_embd=32, n_layer=3, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0)
    )
    yield "llama", t.LlamaForCausalLM(t.LlamaConfig(**SIZES, num_key_value_heads=2, rope_parameters=LLAMA3))
    yield "llama-tied", t.LlamaForCausalLM(
        t.LlamaConfig(**SIZES, num_key_value_heads=1, attention_bias=True, tie_word_embeddings=True)
    )
    yield "mistral", t.MistralForCausalLM(t.MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=None))
    yield "qwen2", t.Qwen2ForCausalLM(t.Qwen2Config(**SIZES, num_key_value_heads=2))
    yield "qwen3", t.Qwen3ForCausalLM(t.Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=12))
    yield "olmo2", t.Olmo2ForCausalLM(t.Olmo2Config(**SIZES, num_key_value_heads=2))
    yield "olmoe", t.OlmoeForCausalLM(t.OlmoeConfig(**SIZES, num_experts_per_tok=2, num_experts=6))
    yield "qwen3_moe", t.Qwen3MoeForCausalLM(
        t.Qwen3MoeConfig(
            **SIZES,
            num_key_value_heads=2,
            head_dim=8,
            num_experts=6,
            num_experts_per_tok=2,
            moe_intermediate_size=24,
            norm_topk_prob=True,
            mlp_only_layers=[1],
        )
    )
    yield "mixtral", t.MixtralForCausalLM(
        t.MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2)
    )


def move(model):
    """Norms and biases away from ones and zeros, so that a tensor in the wrong place shows."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
            else:
                parameter.mul_(3)


def main(out):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    for name, model in models():
        torch.manual_seed(7)
        model = model.eval()
        move(model)
        model.save_pretrained(f"{out}/{name}")
        tokens = torch.randint(0, 96, (2, 33))
        with torch.no_grad():
            logits = model(tokens[:, :-1], use_cache=False).logits.float()
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 96), tokens[:, 1:].reshape(-1))
        save_file(
            {"tokens": tokens, "logits": logits.contiguous(), "loss": loss.reshape(1)},
            f"{out}/{name}.expected.safetensors",
        )


def again(out, families):
    torch.set_num_threads(1)
    for name in families:
        model = t.AutoModelForCausalLM.from_pretrained(f"{out}/{name}-exported", dtype=torch.float32).eval()
        tokens = load_file(f"{out}/{name}.expected.safetensors")["tokens"][:, :-1]
        with torch.no_grad():
            logits = model(tokens, use_cache=False).logits.float().contiguous()
            model.generation_config.eos_token_id = None  # nothing ends early, and nothing is kept from ending
            made = model.generate(
                tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=16, do_sample=False, use_cache=True
            )
        save_file({"logits": logits, "made": made.contiguous()}, f"{out}/{name}.again.safetensors")


def train(out, families):
    torch.set_num_threads(1)
    for name in families:
        model = t.AutoModelForCausalLM.from_pretrained(f"{out}/{name}", dtype=torch.float32).train()
        model.get_input_embeddings().padding_idx = None  # it would take the gradient from token 0
        given = load_file(f"{out}/{name}.batches.safetensors")
        optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
        losses = []
        for text, rate in zip(given["tokens"], given["rates"]):
            for group in optimiser.param_groups:
                group["lr"] = rate.item()
            logits = model(text[:, :-1], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), text[:, 1:].reshape(-1))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.detach())
        save_file({"losses": torch.stack(losses)}, f"{out}/{name}.losses.safetensors")


if __name__ == "__main__":
    if sys.argv[2:3] == ["train"]:
        train(sys.argv[1], sys.argv[3:])
    elif sys.argv[2:3] == ["again"]:
        again(sys.argv[1], sys.argv[3:])
    else:
        main(sys.argv[1])
