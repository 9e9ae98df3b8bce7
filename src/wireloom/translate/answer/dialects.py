"""The markup that models write and servers leave in the text: one row for each form, with its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wireloom.translate.answer import call_markup
from wireloom.translate.answer.call_markup import Written

Parse: TypeAlias = Callable[[str], list[Written] | None]
"""The text between opener and closer -> the calls in it, or None where it holds anything else."""


@dataclass(frozen=True, slots=True)
class Thought:
    """Tags around what a model thinks.

    Args:
        opener: the text before a thought.
        closer: the text after it.
        source: which models write it.
    """

    opener: str
    closer: str
    source: str


@dataclass(frozen=True, slots=True)
class CallMarkup:
    """Tags around one call or several.

    Args:
        name: of the dialect.
        opener: the text before the calls; it is part of what `parse` reads where `keeps_opener` is set.
        closer: the text after them, or None where only the end of the answer ends them.
        parse: reads what stands between the two.
        source: which models write it.
        keeps_opener: see `opener`.
    """

    name: str
    opener: str
    closer: str | None
    parse: Parse
    source: str
    keeps_opener: bool = False


THOUGHTS = (
    Thought("<think>", "</think>", "DeepSeek R1, Qwen3, GLM, MiniMax, gpt-oss behind some servers"),
    Thought("<thinking>", "</thinking>", "models tuned on Claude's words"),
    Thought("<thought>", "</thought>", "Gemma and Gemini behind OpenAI-like endpoints"),
    Thought("<reasoning>", "</reasoning>", "tuned Llama and Granite models"),
    Thought("<seed:think>", "</seed:think>", "Seed-OSS"),
    Thought("<longcat_think>", "</longcat_think>", "LongCat"),
    Thought("[THINK]", "[/THINK]", "Magistral"),
    Thought("◁think▷", "◁/think▷", "Kimi-VL"),
    Thought("<|START_THINKING|>", "<|END_THINKING|>", "Command A"),
    Thought("<|open|>think<|sep|>", "<|close|>think<|sep|>", "Kimi K3: ggml-org/llama.cpp#26185"),
    Thought("<|channel|>analysis<|message|>", "<|end|>", "gpt-oss: the harmony format"),
    Thought("<|start|>assistant<|channel|>analysis<|message|>", "<|end|>", "gpt-oss: the harmony format"),
)

# Text that opens the answer itself, or a part of it that users read; it is left out where it stands at the beginning
# or after a thought.
ANSWER_OPENERS: Mapping[str, str] = {
    "<|channel|>final<|message|>": "gpt-oss: the harmony format",
    "<|start|>assistant<|channel|>final<|message|>": "gpt-oss: the harmony format",
    "<|channel|>commentary<|message|>": "gpt-oss: a preamble before calls",
    "<|start|>assistant<|channel|>commentary<|message|>": "gpt-oss: a preamble before calls",
    "<|open|>response<|sep|>": "Kimi K3",
    "<|START_RESPONSE|>": "Command A",
}

END_TOKENS: Mapping[str, str] = {
    "<|im_end|>": "ChatML: Qwen, Hermes, Yi, Kimi",
    "<|endoftext|>": "Qwen, GPT-2's vocabulary, Phi",
    "<|eot_id|>": "Llama 3",
    "<|eom_id|>": "Llama 3.1, before a tool's output",
    "<|eot|>": "Llama 4",
    "<|eom|>": "Llama 4",
    "<|end_of_text|>": "Llama 3, Granite",
    "<end_of_turn>": "Gemma",
    "<turn|>": "Gemma 4",
    "<|end|>": "Phi, gpt-oss",
    "<|return|>": "gpt-oss",
    "<|END_OF_TURN_TOKEN|>": "Command R",
    "<|END_RESPONSE|>": "Command A",
    "<|endofassistant|>": "Seed-OSS and others",
    "<|end_of_msg|>": "Kimi K3",
    "<|close|>response<|sep|>": "Kimi K3",
    "<|close|>message<|sep|>": "Kimi K3",
    "<｜end▁of▁sentence｜>": "DeepSeek",
    "[EOT]": "Seed-OSS, K-EXAONE",
    "[|endofturn|]": "EXAONE",
    "<seed:eos>": "Seed-OSS",
    "[e~[": "MiniMax M2",
}

# Model names whose template ends a turn with a tag that HTML has as well.
ENDS_WITH_S = re.compile(
    r"mistral|mixtral|ministral|codestral|devstral|llama-?2|vicuna|zephyr|internlm|baichuan", re.I
)
ENDING_S = "</s>"


def _xml_tools(name: str, opener: str, closer: str, source: str) -> CallMarkup:
    return CallMarkup(name, opener, closer, call_markup.invokes, source)


CALLS = (
    CallMarkup(
        "hermes", "<tool_call>", "</tool_call>", call_markup.tool_call, "Qwen, Hermes, Qwen Coder, GLM 4.5"
    ),
    CallMarkup(
        "qwen-coder", "<function=", "</function>", call_markup.functions, "Qwen Coder, Llama 3.1", True
    ),
    CallMarkup(
        "kimi-k2",
        "<|tool_calls_section_begin|>",
        "<|tool_calls_section_end|>",
        call_markup.kimi_k2,
        "Kimi K2",
    ),
    CallMarkup(
        "kimi-k2",
        "<|tool_call_section_begin|>",
        "<|tool_call_section_end|>",
        call_markup.kimi_k2,
        "Kimi K2, as it writes its section now and then: ggml-org/llama.cpp#17376",
    ),
    CallMarkup("kimi-k3", "<|open|>tools<|sep|>", "<|close|>tools<|sep|>", call_markup.kimi_k3, "Kimi K3"),
    _xml_tools("minimax", "<minimax:tool_call>", "</minimax:tool_call>", "MiniMax M2"),
    CallMarkup("json-list", "<tool_calls>", "</tool_calls>", call_markup.json_calls, "MiniMax M1, Jamba"),
    _xml_tools("dsml", "<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", "DeepSeek V4"),
    _xml_tools("dsml", "<｜DSML｜function_calls>", "</｜DSML｜function_calls>", "DeepSeek V3.2"),
    _xml_tools("invoke", "<function_calls>", "</function_calls>", "models tuned on Claude's words"),
    CallMarkup(
        "deepseek",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        call_markup.deepseek,
        "DeepSeek V3, R1 and V3.1",
    ),
    CallMarkup("mistral", "[TOOL_CALLS]", None, call_markup.mistral, "Mistral"),
    CallMarkup("llama", "<|python_tag|>", None, call_markup.json_calls, "Llama 3.1 and later"),
    CallMarkup("llama-4", "<|python_start|>", "<|python_end|>", call_markup.json_calls, "Llama 4"),
    CallMarkup(
        "harmony",
        "<|channel|>commentary to=",
        "<|call|>",
        call_markup.harmony,
        "gpt-oss: the harmony format",
    ),
    CallMarkup(
        "harmony",
        "<|start|>assistant<|channel|>commentary to=",
        "<|call|>",
        call_markup.harmony,
        "gpt-oss: the harmony format",
    ),
    CallMarkup(
        "harmony",
        "<|start|>assistant to=",
        "<|call|>",
        call_markup.harmony,
        "gpt-oss: the recipient before the channel",
    ),
    CallMarkup("granite", "<|tool_call|>", None, call_markup.json_calls, "Granite 3"),
    CallMarkup("command", "<|START_ACTION|>", "<|END_ACTION|>", call_markup.json_calls, "Command R7B and A"),
    CallMarkup(
        "internlm", "<|action_start|><|plugin|>", "<|action_end|>", call_markup.json_calls, "InternLM 2 and 3"
    ),
    CallMarkup("seed", "<seed:tool_call>", "</seed:tool_call>", call_markup.functions, "Seed-OSS"),
    CallMarkup("longcat", "<longcat_tool_call>", "</longcat_tool_call>", call_markup.tool_call, "LongCat"),
)
