"""The long conversation: what is sent, what answers, and what stands in the report."""

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks.chain.conversation import ChatBody, completed, responses_request, text_of
from benchmarks.chain.report import Run, cpu_ms, least, marks, median_ms, render, window
from benchmarks.chain.turns import floor, stored_bytes
from benchmarks.chain.upstream import SizeUpstream, answer_text, size_in


def cells(report: str, start: str) -> list[list[str]]:
    """Return the cells of all table rows that begin with `start`, without that."""
    rows = [line for line in report.splitlines() if line.startswith(f"| {start} |")]
    return [[cell.strip() for cell in row.strip("|").split("|")][1:] for row in rows]


@pytest.mark.parametrize("size", [200, 20_000])
def test_texts_have_their_size_and_differ(size: int) -> None:
    texts = [text_of(turn, size) for turn in range(1, 50)]
    assert {len(text.encode()) for text in texts} == {size}
    assert len({text[20:] for text in texts}) == len(texts)
    assert text_of(7, size) == texts[6]


def test_a_turn_says_only_what_is_new() -> None:
    first, later = (json.loads(responses_request("hello", previous)) for previous in (None, "resp_1"))
    assert first == {"model": "bench", "stream": True, "store": True, "input": "hello"}
    assert later == {**first, "previous_response_id": "resp_1"}


def test_chat_body_grows() -> None:
    chat = ChatBody()
    chat.add("user", 'a "quoted" ä')
    chat.add("assistant", "b")
    body = json.loads(chat.encode())
    assert (body["model"], body["stream"]) == ("bench", True)
    assert body["messages"] == [
        {"role": "user", "content": 'a "quoted" ä'},
        {"role": "assistant", "content": "b"},
    ]


def test_completed_response_is_found() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": answer_text(321)}]}
    response = {"id": "resp_2", "output": [{"type": "reasoning"}, message]}
    events = [
        b'data: {"type":"response.created","response":{"id":"resp_2","output":[]}}',
        b'data:{"type":"response.completed","response":' + json.dumps(response).encode() + b"}",
    ]
    response_id, text = completed(b"event: x\n" + b"\n\n".join(events) + b"\n\n")
    assert (response_id, size_in(text)) == ("resp_2", 321)


@pytest.mark.parametrize("answer", [b"", b'data: {"type":"response.failed","response":{}}\n\n'])
def test_stream_that_did_not_complete(answer: bytes) -> None:
    with pytest.raises(ValueError, match="no completed response"):
        completed(answer)


def test_text_without_a_size() -> None:
    assert size_in("Hello.") == 0


@pytest.mark.parametrize("pieces", [1, 2, 7])
async def test_upstream_counts_a_body_however_it_comes(pieces: int) -> None:
    server = await asyncio.get_running_loop().create_server(SizeUpstream, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for size in (500, 70_000):
            request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
            step = -(-len(request) // pieces)
            for start in range(0, len(request), step):
                writer.write(request[start : start + step])
                await writer.drain()
                await asyncio.sleep(0)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            assert answer_text(size).encode() in body
            assert body.endswith(b"data: [DONE]\n\n")
        writer.close()


async def test_floor_sends_a_growing_body() -> None:
    server = await asyncio.get_running_loop().create_server(SizeUpstream, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        seconds = await asyncio.to_thread(floor, port, 5, 100)
    assert len(seconds) == 5
    assert min(seconds) > 0


def test_marks_and_windows() -> None:
    assert marks(400) == (1, 100, 200, 300, 400)
    assert [window(mark, 400) for mark in marks(400)] == [
        (1, 20),
        (81, 100),
        (181, 200),
        (281, 300),
        (381, 400),
    ]
    assert marks(2) == (1, 2)
    assert [window(mark, 2) for mark in marks(2)] == [(1, 2), (1, 2)]


def test_time_of_a_window() -> None:
    seconds = [0.001] * 380 + [0.004] * 10 + [0.002] * 10
    assert median_ms(seconds, 1, 400) == pytest.approx(1)
    assert median_ms(seconds, 400, 400) == pytest.approx(3)
    assert cpu_ms(Run(cpu={0: 1.0, 20: 1.1, 380: 5.0, 400: 5.4}), 400, 400) == pytest.approx(20)
    assert cpu_ms(Run(cpu={0: 1.0, 20: 1.1, 380: 5.0, 400: 5.4}), 1, 400) == pytest.approx(5)


def test_floor_is_the_least_of_its_passes() -> None:
    assert least([[3.0, 1.0], [2.0, 2.0], [4.0, 4.0]]) == [2.0, 1.0]


def test_report_is_net_of_the_floor() -> None:
    run = Run([0.003] * 2 + [0.009] * 2, dict.fromkeys(marks(4), 50_000_000), {0: 0.0, 4: 0.004}, 1_234_567)
    report = render(
        2_500_000, 4, [0.001] * 4, {"ours": run, "theirs": Run(**vars(run) | {"stored": 0})}, {"odd": "gone"}
    )
    assert "## 4 turns of 2,500,000 bytes: 10.0 MB of text" in report
    assert cells(report, "the body alone") == [["1.0"] * 4]
    assert cells(report, "ours, above that") == [["5.0"] * 4]
    assert cells(report, "ours") == [["1.0"] * 4, ["50"] * 4 + ["1.2"]]
    assert cells(report, "theirs")[1][-1] == "-"
    assert "- odd did not run: gone" in report


def test_report_without_any_run_says_why() -> None:
    report = render(200, 4, [0.001] * 4, {}, {"ours": "no such option"})
    assert sum(line.startswith("| ---") for line in report.splitlines()) == 1
    assert report.endswith("- ours did not run: no such option\n")


def test_every_row_is_as_wide_as_its_head() -> None:
    run = Run([0.1] * 400, dict.fromkeys(marks(400), 1), dict.fromkeys(range(0, 401, 20), 0.0))
    for block in render(200, 400, [0.1] * 400, {"ours": run}, {}).split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1


def test_stored_bytes_counts_every_file(tmp_path: Path) -> None:
    assert stored_bytes(tmp_path / "nothing") == 0
    (tmp_path / "a").mkdir()
    for name in ("a/b", "c"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 64)
    assert stored_bytes(tmp_path) >= 2 * 16_384
