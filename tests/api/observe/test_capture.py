"""What is kept of a request: its form, and nothing that says whose it was."""

import json
from typing import Any

import pytest

from tests.support.captures import CAPTURES, FOLDER
from wireloom.api.observe.capture import cleaned

UUID = "019a1b2c-3d4e-7f50-8a9b-0c1d2e3f4a5b"
OTHER = "019a1b2c-3d4e-7f50-8a9b-ffffffffffff"


def body_of(body: Any, *headers: tuple[str, str]) -> Any:
    return cleaned("POST", "/v1/responses", "", headers, body)["body"]


def text_of(text: str, *headers: tuple[str, str]) -> str:
    kept: str = body_of({"text": text}, *headers)["text"]
    return kept


def header_of(name: str, value: str) -> Any:
    return cleaned("POST", "/v1/responses", "", [(name, value)], None)["headers"].get(name)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_the_fixtures_are_in_this_form_already(capture: Any) -> None:
    """Cleaning a fixture again changes only counters and what it cut already; so new ones look like the old."""
    fixture = json.loads((FOLDER / f"{capture.name}.json").read_bytes())
    once = cleaned(
        fixture["method"],
        fixture["path"],
        fixture["query"],
        list(fixture["headers"].items()),
        fixture["body"],
    )
    assert shape(once) == shape(fixture)


IDS = {"id", "call_id", "previous_response_id"}


def shape(value: Any, member: str = "") -> Any:
    """Members, types and constants; of ids, times and longer texts only that they are there."""
    if isinstance(value, dict):
        return {name.lower(): shape(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each, member) for each in value]
    if isinstance(value, str):
        return "text" if member in IDS or len(value) > 24 or value.isdigit() else value
    return value


@pytest.mark.parametrize(("length", "kept"), [(300, 300), (301, 200), (5000, 200)])
def test_long_texts_are_cut_and_say_by_how_much(length: int, kept: int) -> None:
    cut = f"...[trimmed {length - kept} chars]" if kept < length else ""
    assert text_of("a" * length) == "a" * kept + cut


def test_a_grammar_stays_whole_and_json_stays_json() -> None:
    assert body_of({"definition": "a" * 999}) == {"definition": "a" * 999}
    arguments = json.dumps({"patch": "b" * 999, "n": 1})
    kept = json.loads(body_of({"arguments": arguments})["arguments"])
    assert kept == {"patch": "b" * 200 + "...[trimmed 799 chars]", "n": 1}
    spaced = '{"cmd":  "ls"}'
    assert body_of({"arguments": spaced}) == {"arguments": spaced}
    assert text_of("{" + "no JSON" * 99).endswith("chars]")


def test_ids_become_counters_and_the_same_id_the_same_counter() -> None:
    made = "resp_" + "0af" * 11
    body = {
        "prompt_cache_key": UUID,
        "input": [
            {"id": f"msg_{UUID}", "text": f"see {made} and {OTHER}"},
            {"id": "fc_xyz", "call_id": "call_AbC"},
            {"call_id": "call_AbC", "id": None},
            {"call_id": "call_Second"},
        ],
        "previous_response_id": made,
    }
    first, second = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
    assert body_of(body, ("session-id", UUID)) == {
        "prompt_cache_key": first,
        "input": [
            {"id": f"msg_{first}", "text": f"see resp_1 and {second}"},
            {"id": "fc_1", "call_id": "call_1"},
            {"call_id": "call_1", "id": None},
            {"call_id": "call_2"},
        ],
        "previous_response_id": "resp_1",
    }
    assert cleaned("GET", f"/v1/responses/{made}", "", [], None)["path"] == "/v1/responses/resp_1"


def test_times_are_fixed() -> None:
    context = "<current_date>2026-03-04</current_date><timezone>Europe/Berlin</timezone>"
    assert text_of(context) == "<current_date>2025-01-01</current_date><timezone>Etc/UTC</timezone>"
    assert text_of("at 2026-03-04T05:06:07.89+02:00.") == "at 2025-01-01T00:00:00Z."
    assert (
        text_of("Chunk ID: 0a1b2c\nWall time: 12.3456 seconds") == "Chunk ID: abc123\nWall time: 0.1 seconds"
    )
    assert body_of(
        {"created_at": 1790000000, "turn_started_at_unix_ms": 1790000000123, "port": 1790000000}
    ) == {
        "created_at": 1700000000,
        "turn_started_at_unix_ms": 1700000000000,
        "port": 1790000000,
    }
    assert header_of("openai-beta", "responses_websockets=2026-02-06") == "responses_websockets=2026-02-06"


def test_paths_are_fixed_wherever_they_stand() -> None:
    context = "<cwd>/srv/jane/project</cwd> <root>/srv/jane/project</root>"
    skills = "- a: (file: /data/jane/.codex/skills/.system/a/SKILL.md)"
    metadata = json.dumps({"workspaces": {"/srv/jane/project": {"has_changes": True}}})
    body = {"a": context, "b": skills, "c": "in /srv/jane/project/x.py and /home/jane/y", "d": metadata}
    kept = json.dumps(body_of(body))
    assert "jane" not in kept
    assert "/workspace/x.py and /home/user/y" in kept
    assert "/codex-home/skills/.system/a" in kept
    assert text_of("<cwd>/tmp</cwd> /tmp/x") == "<cwd>/tmp</cwd> /tmp/x"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("authorization", "Bearer s3cret-K9Qx", "Bearer <test-key>"),
        ("authorization", "s3cret-K9Qx", "<test-key>"),
        ("x-api-key", "s3cret-K9Qx", "<test-key>"),
        ("cookie", "a=s3cret; b=2", "<test-key>"),
        ("x-codex-auth-token", "s3cret", "<test-key>"),
        ("chatgpt-account-id", "s3cret", "<masked>"),
        ("openai-organization", "s3cret", "<masked>"),
        ("x-forwarded-for", "10.1.2.3", "<masked>"),
        ("host", "gateway.jane.lan:4444", "127.0.0.1:8000"),
        ("content-length", "17", None),
        ("originator", "codex_exec", "codex_exec"),
        (
            "user-agent",
            "codex_exec/0.170.1 (Ubuntu 24.4.0; aarch64) xterm-kitty (codex_exec; 0.170.1)",
            "codex_exec/0.170.1 (Linux; x86_64) term (codex_exec; 0.170.1)",
        ),
        ("user-agent", "OpenAI/Python 3.52.0", "OpenAI/Python 3.52.0"),
    ],
)
def test_headers(name: str, value: str, kept: str | None) -> None:
    assert header_of(name, value) == kept


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF0123456789abcdef",
        "ghp_abcdefghijklmnopqrstuvwxyz0123",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123",
        "xoxb-1234567890-abcdef",
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_credential_is_masked_in_texts(secret: str) -> None:
    assert text_of(f"with {secret} in it") == "with <test-key> in it"


def test_the_key_of_the_request_is_masked_wherever_it_stands() -> None:
    key = ("authorization", "Bearer my-own-key")
    assert text_of("curl -H 'x: my-own-key'", key) == "curl -H 'x: <test-key>'"
    assert cleaned("GET", "/v1/models", "key=a&api_key=b&client_version=0.1", [], None)["query"] == (
        "key=a&api_key=<masked>&client_version=0.1"
    )


def test_members_that_name_a_person_or_a_secret_are_masked_but_not_in_schemas() -> None:
    metadata = json.dumps(
        {
            "workspaces": {
                "/x": {"associated_remote_urls": {"origin": "git@s3cret"}, "latest_git_commit_hash": "s3"}
            }
        }
    )
    server = {"type": "mcp", "authorization": "s3cret", "headers": {"X-Service-Key": "s3cret"}}
    body = {"user": "s3cret", "metadata": metadata, "tools": [server], "items": [{"api_key": ["s3cret"]}]}
    assert "s3" not in json.dumps(body_of(body))
    schema = {
        "properties": {"user": {"type": "string"}, "password": {"type": "string"}},
        "required": ["password"],
    }
    assert body_of({"parameters": schema}) == {"parameters": schema}
    assert body_of({"max_output_tokens": 5, "author": "them", "tokens": "a"}) == {
        "max_output_tokens": 5,
        "author": "them",
        "tokens": "a",
    }
