"""A patch comes out of whatever a model puts around it; a bare one passes as it comes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import cuts
from tests.support.meant_calls import BODY
from wireloom.translate.tools.custom import CustomCall
from wireloom.translate.tools.free_input import is_odd, wrap
from wireloom.translate.tools.patch_text import PatchText, patch_in

HEREDOC = f"apply_patch <<'EOF'\n{BODY}\nEOF\n"
FORMS = {
    "asked for": wrap(BODY),
    "another member": json.dumps({"patch": BODY}),
    "any member": json.dumps({"unheard_of": BODY}),
    "a member beside others": json.dumps({"why": "because", "diff": BODY}),
    "a command": json.dumps(["apply_patch", BODY]),
    "a command in a member": json.dumps({"command": ["apply_patch", BODY]}),
    "a command as the input": json.dumps({"input": ["apply_patch", BODY]}),
    "a shell": json.dumps(["bash", "-lc", HEREDOC]),
    "a shell in a member": json.dumps({"command": ["bash", "-lc", HEREDOC], "workdir": "/"}),
    "a shell that moves first": json.dumps({"cmd": "cd /a && " + HEREDOC}),
    "a heredoc": HEREDOC,
    "a heredoc as the input": wrap(HEREDOC),
    "quoted": wrap(f"apply_patch '{BODY}'"),
    "a fence": f"```\n{BODY}\n```",
    "a fence with a language": f"```diff\n{BODY}\n```\n",
    "a fence as the input": wrap(f"```patch\n{BODY}\n```"),
    "words before": f"Here is the patch:\n\n{BODY}\n",
    "encoded twice": json.dumps(wrap(BODY)),
    "a JSON string": json.dumps(BODY),
    "the object as the input": wrap(wrap(BODY)),
    "bare": BODY,
}
AS_THEY_ARE = {
    "a line behind": BODY + "\n",
    "two patches": f"{BODY}\n{BODY}",
    "words behind": f"{BODY}\nand more",
    "no patch": "*** Update File: a",
    "no end": "*** Begin Patch\n*** Update File: a\n",
    "a fence around two patches": f"```\n{BODY}\n{BODY}\n```",
    "quoted with quotation marks": "apply_patch '" + BODY.replace("+y", "+it'\\''s") + "'",
    "a beginning": "***",
    "nothing": "",
    "another text": "[1, 2]",
}


def read(fragments: list[str], name: str = "apply_patch") -> str:
    call = CustomCall("ctc_1", "call_1", name, None)
    passed = [call.feed(fragment) for fragment in fragments]
    return "".join([*passed, call.rest(whole=True)])


@pytest.mark.parametrize("form", FORMS)
def test_the_patch_in_any_form(form: str) -> None:
    text = FORMS[form]
    assert read([text]) == BODY
    assert is_odd(text, "apply_patch") is (form != "asked for")

    @settings(max_examples=50, deadline=None)
    @given(cuts.anywhere(text))
    def cut(fragments: list[str]) -> None:
        assert read(fragments) == BODY

    cut()


@pytest.mark.parametrize("form", AS_THEY_ARE)
def test_what_holds_no_one_patch_stays_as_it_is(form: str) -> None:
    text = AS_THEY_ARE[form]

    @settings(max_examples=50, deadline=None)
    @given(cuts.anywhere(wrap(text)))
    def cut(fragments: list[str]) -> None:
        assert read(fragments) == text

    cut()
    assert not is_odd(wrap(text), "apply_patch")


def test_a_patch_does_not_wait_for_its_end() -> None:
    fragments = ['{"input":"', "*** ", "Begin Patch", "\\n*** Update", " File: a", '"}']
    call = CustomCall("ctc_1", "call_1", "apply_patch", None)
    assert [call.feed(fragment) for fragment in fragments] == [
        "",
        "*** ",
        "Begin Patch",
        "\n*** Update",
        " File: a",
        "",
    ]


@pytest.mark.parametrize("name", ["js", "other"])
def test_other_tools_take_a_command_of_their_own_name(name: str) -> None:
    assert read(['["js","1+1"]'], name) == ("1+1" if name == "js" else '["js","1+1"]')
    assert read(["```\n1+1\n```"], name) == "```\n1+1\n```"
    assert read([json.dumps(wrap("1"))], name) == "1"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="*BeginPatchEd \n`'+", max_size=60).flatmap(cuts.anywhere))
def test_no_text_is_lost_without_a_patch(fragments: list[str]) -> None:
    patch, text = PatchText(), "".join(fragments)
    read_text = "".join([*map(patch.feed, fragments), patch.close()])
    assert read_text == text or patch_in(text) is not None
