"""Thoughts, calls and end tokens that a server leaves in the text are read, however the text is cut."""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cuts
from wireloom.translate.answer.dialects import ANSWER_OPENERS, CALLS, END_TOKENS, THOUGHTS
from wireloom.translate.answer.markup import Markup
from wireloom.translate.answer.markup_tokens import LONGEST, MarkupRules, own_ends

OFFERED = frozenset({"exec_command", "add"})


@dataclass
class Heard:
    """What was read of a text."""

    thought: str = ""
    text: str = ""
    calls: list[tuple[str, object]] = field(default_factory=list)
    stray: bool = False
    refused: bool = False
    unclosed: bool = False


def read(pieces: list[str], rules: MarkupRules | None = None, *, whole: bool = True) -> Heard:
    texts: list[str] = []
    thoughts: list[str] = []
    markup = Markup(
        rules or MarkupRules(offered=OFFERED), texts.append, thoughts.append, lambda: "".join(texts)
    )
    for piece in pieces:
        if markup.plain and not any(mark in piece for mark in "<["):
            texts.append(piece)  # as the reader of an answer does
        else:
            markup.feed(piece)
    written = markup.close(whole=whole)
    calls = [
        (call.name, decoded(call.arguments) if call.arguments else dict(call.values)) for call in written
    ]
    return Heard("".join(thoughts), "".join(texts), calls, markup.stray, markup.refused, markup.unclosed)


def decoded(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:  # which no tool takes
        return arguments


LS = [("exec_command", {"cmd": "ls -l"})]
FUNCTION = "<function=exec_command>\n<parameter=cmd>\nls -l\n</parameter>\n</function>"
JSON = '{"name": "exec_command", "arguments": {"cmd": "ls -l"}}'
PARAMETER = '<invoke name="exec_command">\n<parameter name="cmd">ls -l</parameter>\n</invoke>'
K3 = (
    '<|open|>tools<|sep|><|open|>call tool="exec_command" index="0"<|sep|><|open|>argument key="cmd" type="string"'
    "<|sep|>ls -l<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>"
)

FORMS = {
    "hermes": f"<tool_call>\n{JSON}\n</tool_call>",
    "hermes, parameters": '<tool_call>{"name":"exec_command","parameters":{"cmd":"ls -l"}}</tool_call>',
    "hermes, encoded arguments": '<tool_call>{"name":"exec_command","arguments":"{\\"cmd\\":\\"ls -l\\"}"}</tool_call>',
    "qwen coder": f"<tool_call>\n{FUNCTION}\n</tool_call>",
    "qwen coder without the outer tag": FUNCTION,
    "glm": "<tool_call>exec_command\n<arg_key>cmd</arg_key>\n<arg_value>ls -l</arg_value>\n</tool_call>",
    "kimi k2": "<|tool_calls_section_begin|><|tool_call_begin|>functions.exec_command:0<|tool_call_argument_begin|>"
    '{"cmd": "ls -l"}<|tool_call_end|><|tool_calls_section_end|>',
    "kimi k2, singular": "<|tool_call_section_begin|><|tool_call_begin|>functions.exec_command:0"
    '<|tool_call_argument_begin|>{"cmd": "ls -l"}<|tool_call_end|><|tool_call_section_end|>',
    "kimi k3": K3,
    "kimi k3 with the end of the message": f"{K3}<|close|>message<|sep|><|end_of_msg|>",
    "minimax m2": f"<minimax:tool_call>\n{PARAMETER}\n</minimax:tool_call>",
    "minimax m1": f"<tool_calls>\n{JSON}\n</tool_calls>",
    "dsml": '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="exec_command">\n<｜DSML｜parameter name="cmd" string="true">ls -l'
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>",
    "dsml, function calls": '<｜DSML｜function_calls><｜DSML｜invoke name="exec_command"><｜DSML｜parameter name="cmd">ls -l'
    "</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>",
    "dsml with json": '<｜DSML｜function_calls><｜DSML｜invoke name="exec_command">{"cmd": "ls -l"}'
    "</｜DSML｜invoke></｜DSML｜function_calls>",
    "function calls": f"<function_calls>\n{PARAMETER}\n</function_calls>",
    "deepseek v3": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>exec_command\n```json\n"
    '{"cmd": "ls -l"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "deepseek v3.1": '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>exec_command<｜tool▁sep｜>{"cmd": "ls -l"}'
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
    "mistral, a list": f"[TOOL_CALLS][{JSON}]",
    "mistral, a name": '[TOOL_CALLS]exec_command{"cmd": "ls -l"}',
    "mistral, a name and an id": '[TOOL_CALLS]exec_command[CALL_ID]abcdefghi[ARGS]{"cmd": "ls -l"}</s>',
    "llama": '<|python_tag|>{"name": "exec_command", "parameters": {"cmd": "ls -l"}}<|eom_id|>',
    "llama, bare": '{"name": "exec_command", "parameters": {"cmd": "ls -l"}}',
    "llama, a function": '<function=exec_command>{"cmd": "ls -l"}</function>',
    "harmony": "<|channel|>commentary to=functions.exec_command <|constrain|>json<|message|>"
    '{"cmd": "ls -l"}<|call|>',
    "harmony, the recipient first": "<|start|>assistant to=functions.exec_command<|channel|>commentary json<|message|>"
    '{"cmd": "ls -l"}<|call|>',
    "granite": f"<|tool_call|>[{JSON}]",
    "command": '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "exec_command", "parameters": {"cmd": "ls -l"}}]'
    "<|END_ACTION|>",
    "internlm": f"<|action_start|><|plugin|>\n{JSON}<|action_end|>",
    "seed": f"<seed:tool_call>\n{FUNCTION}\n</seed:tool_call>",
    "longcat": f"<longcat_tool_call>{JSON}</longcat_tool_call>",
}


@pytest.mark.parametrize("name", FORMS)
def test_a_call_in_the_text_is_read(name: str) -> None:
    text = FORMS[name]
    rules = MarkupRules(offered=OFFERED, ends=("</s>",))
    expected = [
        (called.removeprefix("functions."), arguments) for called, arguments in read([text], rules).calls
    ]
    assert expected == LS
    for pieces in (cuts.singly(text), *(cuts.at(text, [position]) for position in range(len(text)))):
        assert read(pieces, rules) == read([text], rules)
    assert read([text], rules).text == ""
    before = read([f"<think>Hm.</think>Let me look.\n{text}\n"], rules)
    assert (before.thought, before.text) == ("Hm.", "Let me look.\n") or name == "llama, bare"


TEXT_ONLY = {
    "within a line": f"Use <tool_call>{JSON}</tool_call>",
    "in a fence": f"```\n<tool_call>{JSON}</tool_call>\n```",
    "in a fence that is still open": f"```xml\n<tool_call>{JSON}</tool_call>",
    "in a fence of tildes": f"~~~\n<tool_call>{JSON}</tool_call>",
    "in a quotation": f"> <tool_call>{JSON}</tool_call>",
    "in quotation marks": f'The page says "\n<tool_call>{JSON}</tool_call>',
    "in three quotation marks": f'"""\nA page\n\n<tool_call>{JSON}</tool_call>',
    "indented as code": f"Like this:\n\n    <tool_call>{JSON}</tool_call>",
    "in code within a line": f"`\n<tool_call>{JSON}</tool_call>",
    "with text behind it": f"<tool_call>{JSON}</tool_call>\nThat is how it looks.",
    "with text between two": f"<tool_call>{JSON}</tool_call>\nand\n<tool_call>{JSON}</tool_call>",
    "cut": f"<tool_call>{JSON}",
    "half of one": '<tool_call>{"name": "exec_command", "argum',
    "with more in the tag": f"<tool_call>Now: {JSON}</tool_call>",
    "no call in the tag": "<tool_call>hello world</tool_call>",
    "json that is no call": '<tool_call>{"a": 1}</tool_call>',
    "another member beside the call": '<tool_call>{"name": "add", "arguments": {}, "then": 1}</tool_call>',
    "bare json with text behind it": '{"name": "exec_command", "parameters": {"cmd": "ls"}} is the call',
    "bare json of another tool": '{"name": "rm", "parameters": {"cmd": "ls"}}',
    "bare json of data": '{"name": "Ann", "age": 7}',
    "a list": "[1, 2] and [3]",
}


@pytest.mark.parametrize("name", TEXT_ONLY)
def test_other_text_stays_text(name: str) -> None:
    text = TEXT_ONLY[name]
    assert (read([text]).text, read([text]).calls) == (text, [])
    assert (read(cuts.singly(text)).text, read(cuts.singly(text)).calls) == (text, [])


def test_without_tools_no_text_is_a_call() -> None:
    for text in FORMS.values():
        assert read([text], MarkupRules()).calls == []


def test_a_cut_answer_holds_no_call() -> None:
    text = FORMS["hermes"]
    assert read([text], whole=False).text == text


def test_several_calls_are_read() -> None:
    add = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'
    assert read([f"{FORMS['hermes']}\n{add}"]).calls == [*LS, ("add", {"a": 1})]
    assert read(['[TOOL_CALLS]exec_command{"cmd": "ls -l"}[TOOL_CALLS]add{"a": 1}']).calls == [
        *LS,
        ("add", {"a": 1}),
    ]


THOUGHTS_READ = {
    **{f"{tag.opener} of {tag.source}": (f"{tag.opener}Hm.{tag.closer}Hi", "Hm.", "Hi") for tag in THOUGHTS},
    "harmony": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>",
        "Hm.",
        "Hi",
    ),
    "harmony, a preamble": (
        "<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant<|channel|>final<|message|>Hi",
        "",
        "Let me see.Hi",
    ),
    "harmony, the answer alone": ("<|channel|>final<|message|>Hi", "", "Hi"),
    "kimi k3": (
        "<|open|>think<|sep|>Hm.<|close|>think<|sep|><|open|>response<|sep|>Hi<|close|>response<|sep|>"
        "<|close|>message<|sep|><|end_of_msg|>",
        "Hm.",
        "Hi",
    ),
}


@pytest.mark.parametrize("name", THOUGHTS_READ)
def test_thoughts_are_parted_from_the_answer(name: str) -> None:
    content, thought, text = THOUGHTS_READ[name]
    for pieces in ([content], cuts.singly(content)):
        heard = read(pieces)
        assert (heard.thought, heard.text) == (thought, text)


THOUGHTS_WRITTEN: dict[str, tuple[str, str, str]] = {
    "nothing": ("", "", ""),
    "no tags": ("An answer.", "", "An answer."),
    "thought and answer": ("<think>Hm.</think>An answer.", "Hm.", "An answer."),
    "line ends around the tags": ("\n<think>\nHm.\n</think>\n\nAn answer.\n", "Hm.\n", "An answer.\n"),
    "no thought": ("<think>\n\n</think>\n\nAn answer.", "", "An answer."),
    "no answer": ("<think>Hm.</think>", "Hm.", ""),
    "tag never closed": ("<think>Hm.", "Hm.", ""),
    "closing tag cut short": ("<think>Hm.</thin", "Hm.</thin", ""),
    "opening tag cut short": ("<thin", "", "<thin"),
    "what looks like a closing tag": ("<think>a </b> < / </thinks></think>b", "a </b> < / </thinks>", "b"),
    "another tag": ("<b>bold</b>", "", "<b>bold</b>"),
    "what looks like an opening tag": ("<thinker>", "", "<thinker>"),
    "a tag in the middle": ("Use <think>x</think>.", "", "Use <think>x</think>."),
    "a second thought": ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
    "a tag within a thought": ("<think>a<think>b</think>c", "a<think>b", "c"),
    "white space alone": (" \n", "", " \n"),
    "white space before an answer": ("\n\n  An answer.", "", "\n\n  An answer."),
    "indented answer": ("<think>Hm.</think>\n    code", "Hm.", "    code"),
}


@pytest.mark.parametrize("name", THOUGHTS_WRITTEN)
def test_a_thought_stands_before_the_answer_alone(name: str) -> None:
    content, thought, text = THOUGHTS_WRITTEN[name]
    cut_once = [[content[:at], content[at:]] for at in range(len(content) + 1)]
    for pieces in ([content], cuts.singly(content), *cut_once):
        heard = read(pieces)
        assert (heard.thought, heard.text) == (thought, text)


@pytest.mark.parametrize("token", END_TOKENS)
def test_an_end_token_comes_off_the_end(token: str) -> None:
    for pieces in ([f"Hi{token}"], cuts.singly(f"Hi{token}"), ["Hi", token, "\n"], [f"Hi{token}{token}"]):
        assert read(pieces).text == "Hi"
    inside = f"The token {token} ends a turn."
    assert read([inside]).text == read(cuts.singly(inside)).text == inside


def test_a_token_that_html_has_ends_the_answers_of_some_models() -> None:
    assert read(["Hi</s>"], MarkupRules(ends=own_ends("mistral-small"))).text == "Hi"
    assert read(["<s>Hi</s>"], MarkupRules(ends=own_ends("gpt-5"))).text == "<s>Hi</s>"


UNOPENED = "The user greets. I answer.\n</think>\n\nHi there"


@pytest.mark.parametrize("pieces", [[UNOPENED], cuts.singly(UNOPENED)])
def test_an_answer_that_begins_inside_a_thought(pieces: list[str]) -> None:
    heard = read(pieces, MarkupRules(inside=True))
    assert (heard.thought, heard.text, heard.stray) == ("The user greets. I answer.\n", "Hi there", False)


@pytest.mark.parametrize("pieces", [[UNOPENED], cuts.singly(UNOPENED)])
def test_a_closing_tag_that_was_never_opened_is_left_out(pieces: list[str]) -> None:
    heard = read(pieces)
    assert (heard.thought, heard.text, heard.stray) == ("", "The user greets. I answer.\nHi there", True)


@pytest.mark.parametrize(
    "text",
    [
        "The tag `</think>` ends a thought.",
        'The tag "</think>" ends a thought.',
        "The tag </think> ends a thought.",
        "It ends with </think>.",
        "Use <think>x</think>.",
        "```\n</think>\n```",
    ],
)
def test_a_closing_tag_that_is_talked_about_stays(text: str) -> None:
    for pieces in ([text], cuts.singly(text)):
        assert (read(pieces).text, read(pieces).stray) == (text, False)


def test_a_closing_tag_before_calls_is_left_out() -> None:
    assert (read(["I call it.\n</think>"]).text, read(["I call it.\n</think>"]).stray) == (
        "I call it.\n",
        True,
    )


def test_an_answer_without_the_thought_that_was_expected_is_text() -> None:
    heard = read(["Hi", " there"], MarkupRules(inside=True))
    assert (heard.text, heard.unclosed) == ("Hi there", True)
    cut = read(["Hi", " there"], MarkupRules(inside=True), whole=False)
    assert (cut.thought, cut.text) == ("Hi there", "")


def test_an_answer_that_opens_its_thought_although_the_template_did() -> None:
    heard = read(cuts.singly("<think>\nHm.</think>Hi"), MarkupRules(inside=True))
    assert (heard.thought, heard.text) == ("Hm.", "Hi")


def test_no_more_is_held_back_than_the_longest_opener() -> None:
    texts: list[str] = []
    markup = Markup(MarkupRules(offered=OFFERED), texts.append, lambda _: None, lambda: "".join(texts))
    sent = ""
    for character in "a <|start|>assistant<|channel|>commentary to x </function and <tool_callers>" * 3:
        markup.feed(character)
        sent += character
        assert len(sent) - len("".join(texts)) < LONGEST


TOKENS = [
    *(tag.opener for tag in THOUGHTS),
    *(tag.closer for tag in THOUGHTS),
    *END_TOKENS,
    *ANSWER_OPENERS,
    *(row.opener for row in CALLS),
    *(row.closer for row in CALLS if row.closer),
    *FORMS.values(),
    *("a", " ", "\n", "```\n", '"', "<", "[", "{", "Hm. ", "<tool_"),
]
contents = st.lists(st.sampled_from(TOKENS), max_size=6).map("".join)
rule_sets = st.builds(
    MarkupRules,
    st.booleans(),
    st.booleans(),
    st.sampled_from([OFFERED, frozenset[str]()]),
    st.booleans(),
    st.sampled_from([(), ("</s>",)]),
)


@settings(max_examples=400, deadline=None)
@given(
    contents.flatmap(lambda content: st.tuples(st.just(content), cuts.anywhere(content, most=6))), rule_sets
)
def test_no_cut_changes_what_is_read(case: tuple[str, list[str]], rules: MarkupRules) -> None:
    content, pieces = case
    assert read(pieces, rules) == read([content], rules)
    assert read(cuts.singly(content), rules) == read([content], rules)


plain_texts = st.text(st.sampled_from("ab <>[]{}()/|`\"'\n.,:=_thinkol"), max_size=80)


@settings(max_examples=300, deadline=None)
@given(plain_texts.flatmap(lambda content: cuts.anywhere(content, most=6)))
def test_text_without_markup_passes_unchanged(pieces: list[str]) -> None:
    content = "".join(pieces)
    if not any(token in content for token in ("<think>", "</think>")):
        assert (read(pieces).text, read(pieces).calls) == (content, [])


def test_no_opener_is_the_beginning_of_another() -> None:
    openers = {row.opener for row in CALLS} | set(END_TOKENS)
    assert not [
        (one, other) for one in openers for other in openers if one != other and other.startswith(one)
    ]
