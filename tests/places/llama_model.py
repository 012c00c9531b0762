"""A model of llama.cpp small enough for a test: it knows only which sign follows which in a few sentences.

A sign is a byte or a tag. Its embedding is one-hot, so that the logits are a table: the logarithms of how often one
sign followed another. The attention only counts tags: with tools in the prompt the model calls one wherever it may, and
once a tool has returned it answers in words. The server's grammar takes away what is not allowed, so that structured
answers and arguments are valid.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

WIDTH, HEADS, HIDDEN = 384, 4, 32
COUNT, WISH = WIDTH - 2, WIDTH - 1  # dimensions beside those of the signs
SAID = 'the rain is on the roof. a train is in the rain. one is on a train. it rains. {"city": "Rome", "days": 12}\n'
START, END, LINE = '<|im_start|>', '<|im_end|>', chr(256 + 10)
TOOLS, CALL, CALL_END, RETURN = '<tools>', '<tool_call>', '</tool_call>', '<tool_response>'

# As the templates of Hermes and Qwen write tools.
TEMPLATE = """
{%- if tools %}<|im_start|>system
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
Answer with <tool_call>
{"name": <name>, "arguments": <arguments>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ 'user' if message.role == 'tool' else message.role }}
{% if message.role == 'tool' %}<tool_response>
{{ message.content }}
</tool_response>{% else %}{{ message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def write_model(path: Path, context: int = 4096) -> None:
    """Write the model as a GGUF file of about 3 MB."""
    signs = [*_bytes(), TOOLS, CALL, CALL_END, RETURN, START, END]
    writer = gguf.GGUFWriter(path, 'llama')
    _write_shape(writer, context, len(signs))
    _write_signs(writer, signs)
    for name, tensor in _tensors(signs).items():
        writer.add_tensor(name, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _bytes() -> list[str]:
    """The 256 bytes as byte-level BPE writes them: those without a visible sign are moved up by 256."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    return [chr(byte) if byte in visible else chr(next(hidden)) for byte in range(256)]


def _write_shape(writer: gguf.GGUFWriter, context: int, size: int) -> None:
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(size)


def _write_signs(writer: gguf.GGUFWriter, signs: list[str]) -> None:
    spelt = dict.fromkeys((TOOLS, CALL, CALL_END, RETURN), gguf.TokenType.USER_DEFINED)
    kinds = {**spelt, START: gguf.TokenType.CONTROL, END: gguf.TokenType.CONTROL}
    writer.add_tokenizer_model('gpt2')
    writer.add_tokenizer_pre('default')
    writer.add_token_list(signs)
    writer.add_token_types([kinds.get(sign, gguf.TokenType.NORMAL) for sign in signs])
    writer.add_token_merges(['t h'])
    writer.add_eos_token_id(signs.index(END))
    writer.add_bos_token_id(signs.index(START))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _tensors(signs: list[str]) -> dict[str, np.ndarray]:
    line = signs.index(LINE)
    # A one-hot vector comes out of a norm as long as the root of the width.
    table = np.zeros((len(signs), WIDTH))
    table[:, : len(signs)] = np.log(_follows(signs)).T / np.sqrt(WIDTH)
    table[signs.index(CALL), WISH] = 2
    value, output = np.zeros((WIDTH, WIDTH)), np.zeros((WIDTH, WIDTH))
    # The attention, whose queries and keys of zero look at all signs alike, counts tools and their returns.
    value[COUNT, signs.index(TOOLS)], value[COUNT, signs.index(RETURN)], output[COUNT, COUNT] = 1, -2, 1
    gate, up, down = np.zeros((HIDDEN, WIDTH)), np.zeros((HIDDEN, WIDTH)), np.zeros((WIDTH, HIDDEN))
    # At the start of a line, and only there, the count becomes the wish to call a tool.
    gate[0, line], up[0, COUNT], down[WISH, 0] = 1, 1, 1
    zero, one = np.zeros((WIDTH, WIDTH)), np.ones(WIDTH)
    attention = {'attn_norm': one, 'attn_q': zero, 'attn_k': zero, 'attn_v': value, 'attn_output': output}
    block = {**attention, 'ffn_norm': one, 'ffn_gate': gate, 'ffn_up': up, 'ffn_down': down}
    ends = {'token_embd': np.eye(len(signs), WIDTH), 'output_norm': one, 'output': table}
    named = {**ends, **{f'blk.0.{name}': tensor for name, tensor in block.items()}}
    return {f'{name}.weight': tensor for name, tensor in named.items()}


def _follows(signs: list[str]) -> np.ndarray:
    """How often one sign follows another, by row and column; each may, and none but ASCII with a weight that shows."""
    counts = np.full((len(signs), len(signs)), 1e-9)
    printable = range(32, 127)
    counts[:, printable] = 1e-3
    for this, following in pairwise(SAID):
        counts[ord(this), ord(following)] += 1
    counts[ord('\n'), ord('t')] += 10
    counts[ord('.'), signs.index(END)] += 3
    counts[:, signs.index(END)] += 1e-2
    counts[signs.index(CALL), signs.index(LINE)] = counts[signs.index(CALL_END), signs.index(END)] = 1e12
    return counts
