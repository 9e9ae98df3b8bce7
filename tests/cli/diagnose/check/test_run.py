"""Which contract a deployment is held to, and that nothing passes at which nobody looked."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from wireloom_protocol.operations import OPERATIONS as SERVED

from tests.support.breakages.spoiling import Breakage, Reply, Spoiling, answered
from tests.support.threaded import KEY
from wireloom.cli.diagnose.check.bounds import Bounds
from wireloom.cli.diagnose.check.contract import release
from wireloom.cli.diagnose.check.report import Report, as_words
from wireloom.cli.diagnose.check.run import CASES, Check, Plan, chosen
from wireloom.cli.options import Failure

DOCUMENT = ("GET", "/openapi.json")


def spoilt(where: tuple[str, str], instead: Any) -> Breakage:
    return Breakage("", "", "", "", where, instead=instead)


def check(
    url: str, transport: httpx.BaseTransport, plan: Plan, breakage: Breakage, key: str | None = KEY
) -> Report:
    with httpx.Client(base_url=url, transport=Spoiling(breakage, transport)) as client:
        made = Check(client, key, plan, Bounds(), lambda: 0.0, lambda _: None)
        made.cases()
        return made.close()


def served(document: Any) -> Breakage:
    """A deployment that serves another document."""
    return spoilt(DOCUMENT, answered(document))


def paths(*names: str) -> dict[str, Any]:
    """The contract of this release with some of its paths."""
    whole = release().document
    return {**whole, "paths": {name: whole["paths"][name] for name in names}}


def test_an_empty_contract_never_passes(good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, transport, Plan(served=True), served(paths()))
    assert not report.ok
    assert "No operation of the contract was checked." in as_words(report)
    assert report.counts["passed"] == 0


def test_a_contract_of_one_operation_never_passes(good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, transport, Plan(served=True), served(paths("/health")))
    assert not report.ok
    assert report.counts["passed"] == 1
    assert "No case of the face responses ran." in as_words(report)
    assert "No case of the face chat ran." in as_words(report)


def test_a_contract_without_schemas_is_not_the_measure(good_url: str, transport: httpx.HTTPTransport) -> None:
    """A deployment that serves an empty contract and empty answers is held to this release's."""
    everything = Breakage("", "", "", "", (".*", "/v1/.*"), instead=answered({"id": "resp_1", "x": 1}))
    report = check(good_url, transport, Plan(), everything)
    assert report.counts["passed"] < 10
    assert report.counts["failed"] > 40


def test_another_contract_is_reported(good_url: str, transport: httpx.HTTPTransport) -> None:
    document = paths("/health", "/v1/models", "/v1/models/{model}")
    document["info"] = {**document["info"], "version": "0"}
    report = check(good_url, transport, Plan(only={"health"}), served(document))
    assert report.ok
    told = " ".join(report.differs)
    assert "it lacks about, compactResponse, countInputTokens, createChatCompletion" in told
    assert "its version is 0" in told
    assert "The contract that it serves differs" in as_words(report)


def test_no_contract_is_reported(good_url: str, transport: httpx.HTTPTransport) -> None:
    nothing = spoilt(DOCUMENT, answered({}, 404))
    report = check(good_url, transport, Plan(only={"health"}), nothing)
    assert report.ok
    assert "answered with 404, so no contract is served" in report.differs[0]
    with pytest.raises(Failure, match="no contract is served"):
        check(good_url, transport, Plan(served=True), nothing)


@pytest.mark.parametrize("document", [{}, [], {"paths": []}, "no"])
def test_what_is_no_contract(document: Any, good_url: str, transport: httpx.HTTPTransport) -> None:
    with pytest.raises(Failure, match="holds no contract"):
        check(good_url, transport, Plan(served=True), served(document))


def test_the_contract_that_is_served(good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, transport, Plan(served=True), served(release().document))
    assert report.ok, as_words(report)
    assert report.contract.startswith("held to the contract that it serves")
    assert report.differs == []


def test_operations_that_another_version_has(good_url: str, transport: httpx.HTTPTransport) -> None:
    document = release().document
    more = {"/v1/later": {"get": {"operationId": "later", "responses": {}}}}
    newer = {**document, "paths": {**document["paths"], **more}}
    del newer["paths"]["/metrics"]
    report = check(good_url, transport, Plan(served=True), served(newer))
    assert report.ok, as_words(report)
    states = {result.operation: result.state for result in report.results}
    assert states["later"] == states["metrics (text)"] == "skipped"


@pytest.mark.parametrize(("method", "path", "operation"), [route[:3] for route in SERVED])
def test_an_operation_that_is_not_served(
    method: str, path: str, operation: str, good_url: str, transport: httpx.HTTPTransport
) -> None:
    error = {"message": "No.", "type": "invalid_request_error", "param": None, "code": "not_found"}
    where = (method.upper(), "".join("[^/]+" if part[:1] == "{" else part for part in split(path)))
    first = next(case.label for case in CASES if case.operation == operation)
    report = check(good_url, transport, Plan(only={first}), spoilt(where, answered({"error": error}, 404)))
    result = next(each for each in report.results if each.operation == first)
    assert result.state == "failed"
    assert "the deployment does not serve" in result.told


def split(path: str) -> list[str]:
    """A path, its slashes and its names apart."""
    return path.replace("/", "\0/\0").split("\0")


def test_every_operation_has_a_case() -> None:
    assert {case.operation for case in CASES} == {operation for _, _, operation, _ in SERVED}


def test_cases_have_names_of_their_own() -> None:
    labels = [case.label for case in CASES]
    assert len(set(labels)) == len(labels)


def test_what_cases_need_is_kept_before() -> None:
    kept: set[str] = set()
    for case in CASES:
        assert set(case.needs) <= kept, case.label
        kept |= set(case.keeps)


def test_faces() -> None:
    of_chat = chosen(CASES, Plan(face="chat"))
    operations = {case.operation for case in of_chat}
    assert operations == {"createChatCompletion", "listModels", "retrieveModel"}
    of_responses = chosen(CASES, Plan(face="responses"))
    assert len(of_chat) + len(of_responses) > len(CASES)
    assert "createChatCompletion" not in {case.operation for case in of_responses}


def test_a_face_alone(good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, transport, Plan(face="chat"), served(release().document))
    assert report.ok, as_words(report)


def test_nobody_is_there() -> None:
    with (
        httpx.Client(base_url="http://127.0.0.1:9") as client,
        pytest.raises(Failure, match="cannot be reached"),
    ):
        Check(client, KEY, Plan(), Bounds(), lambda: 0.0, lambda _: None)


def test_what_is_stored_is_deleted_though_it_is_spoilt(good_url: str, transport: httpx.HTTPTransport) -> None:
    """The check remembers what it stored before it judges the answers."""
    made: list[str] = []

    def spoil(reply: Reply) -> None:
        if reply.status == 200:
            value = reply.json
            made.append(value["id"])
            reply.json = {"id": value["id"]}

    breakage = Breakage("", "", "", "", ("POST", "/v1/(conversations|responses)"), spoil)
    labels = {"createConversation", "createResponse (whole)", "getResponse (not stored)"}
    report = check(good_url, transport, Plan(only=labels), breakage)
    assert not report.ok
    assert len(made) >= 3
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=good_url, headers=headers) as client:
        for name in made:
            kind = "conversations" if name.startswith("conv") else "responses"
            assert client.get(f"/v1/{kind}/{name}").status_code == 404


def test_a_wrong_key(good_url: str, transport: httpx.HTTPTransport) -> None:
    report = check(good_url, transport, Plan(), served(release().document), key="other")
    assert not report.ok
    assert "refused with 401 (invalid_api_key)" in as_words(report)
