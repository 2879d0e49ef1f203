"""Byte-level tokenisers as GPT-2, Llama 3 and Qwen have them, by tokenizers, and what they make of nasty strings.

    tokenisers.py OUT

makes OUT/<kind>/tokenizer.json, tokenizer_config.json and OUT/strings.json: {"strings": [...], "<kind>": [[ids], ...]}."""

import json
import os
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(pattern=None):
    if pattern is None:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


KINDS = {
    "gpt2": dict(pattern=None, end="<|endoftext|>", added=[]),
    "llama3": dict(
        pattern=LLAMA3, end="<|end_of_text|>", added=["<|begin_of_text|>", "<|eot_id|>"], ignore_merges=True
    ),
    "qwen": dict(
        pattern=QWEN,
        end="<|endoftext|>",
        added=["<|im_start|>", "<|im_end|>", "<think>", "<|im"],
        normalizer=normalizers.NFC(),
    ),
}


SYLLABLES = "ro ut er ab sor p tion at ten gate ex pert mix ture los s Ä ß é ñ 語 日 я ж ка א 12 7 _ - .".split()


def corpus():
    rng = random.Random(3)
    words = ["the", "and", "router", "don't", "Häuser", "naïve", "日本語", "2026", "12345", "foo_bar", "x=1;", "\n", "\t"]
    words += ["".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 4))) for _ in range(300)]
    return [" ".join(rng.choice(words) for _ in range(50)) for _ in range(400)]


def made(pattern, end, added, normalizer=None, ignore_merges=False):
    tokeniser = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokeniser.pre_tokenizer = byte_level(pattern)
    tokeniser.decoder = decoders.ByteLevel()
    tokeniser.post_processor = processors.ByteLevel(trim_offsets=False)
    if normalizer:
        tokeniser.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokeniser.train_from_iterator(corpus(), trainer)
    tokeniser.add_special_tokens([AddedToken(end, special=True, normalized=False)])
    tokeniser.add_tokens([AddedToken(text, special=False, normalized=False) for text in added])
    return tokeniser


def characters():
    """Assigned ones of Unicode 14, which PCRE2 and oniguruma both know."""
    ranges = [(0, 0x2FF), (0x300, 0x36F), (0x370, 0x52F), (0x5D0, 0x5EA), (0x600, 0x6FF), (0x900, 0x97F)]
    ranges += [(0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x20BF), (0x2100, 0x218B), (0x2460, 0x24FF), (0x3000, 0x30FF)]
    ranges += [(0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0xFB00, 0xFB06), (0xFF01, 0xFF5E), (0x1D400, 0x1D4FF), (0x1F300, 0x1F64F)]
    ranges += [(0x180E, 0x180E), (0xFEFF, 0xFEFF), (0x200B, 0x200F)]
    out = [chr(c) for low, high in ranges for c in range(low, high + 1)]
    return [c for c in out if unicodedata.category(c) not in ("Cn", "Cs")]


def strings(count, added):
    rng = random.Random(5)
    all_characters, plain = characters(), [chr(c) for c in range(32, 127)]
    pieces = added + ["don't", "DON'T", "'\u017f", "I\u2019m", "  ", "\n\n", "\r\n", "\t ", " \n ", "e\u0301", "A\u030a", "\u1100\u1161"]
    pieces += ["0123456789", "1,000.50", "   ", "<|", "|>", "\x00", "\x85", "\u180e", "\ud55c\uae00", "\U0001f600"]
    for i in range(count):
        size = rng.choice([0, 1, 2, 5, 20, 60])
        kind = i % 4
        if kind == 0:
            yield "".join(rng.choice(all_characters) for _ in range(size))
        elif kind == 1:
            yield "".join(rng.choice(plain) for _ in range(size))
        elif kind == 2:
            yield "".join(rng.choice(pieces) for _ in range(size // 2))
        else:
            yield "".join(rng.choice(pieces + all_characters[:300] + [" ", " ", "a", "b", "1"]) for _ in range(size))


def main(out):
    added = sorted({text for kind in KINDS.values() for text in kind["added"]})
    result = {"strings": list(strings(10000, added))}
    for name, kind in KINDS.items():
        tokeniser = made(**kind)
        os.makedirs(f"{out}/{name}", exist_ok=True)
        tokeniser.save(f"{out}/{name}/tokenizer.json")
        with open(f"{out}/{name}/tokenizer_config.json", "w") as file:
            json.dump({"eos_token": kind["end"]}, file)
        result[name] = [e.ids for e in tokeniser.encode_batch(result["strings"], add_special_tokens=False)]
    with open(f"{out}/strings.json", "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(sys.argv[1])
