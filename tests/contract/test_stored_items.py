"""Whatever item the served contract lets in is shown as the served contract says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import schemathesis
from hypothesis import given, seed
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from schemathesis import Case, GenerationMode
from wireloom_protocol import responses as m

from tests.contract.test_contract import DOCUMENT, SCHEMAS
from tests.contract.test_schemathesis import SEED, generated
from tests.support.items import in_stored_form as shown
from wireloom.api import bodies
from wireloom.translate.tools.table import FORMS

pytestmark = pytest.mark.contract

EXAMPLES = 100
ITEMS = TypeAdapter(list[m.InputItem])
KINDS = {
    kind: reference
    for kind, reference in SCHEMAS["InputItem"]["discriminator"]["mapping"].items()
    if FORMS.get(kind)  # `codegen.review` reports a kind without a form
}
STORED = Draft202012Validator(
    {"$ref": "#/components/schemas/ItemResource", "components": DOCUMENT["components"]}
)


def sending(reference: str) -> Any:
    """An operation whose body is one item."""
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": reference}}}}
    paths = {"/": {"post": {"requestBody": body, "responses": {"200": {"description": "Done."}}}}}
    schema = schemathesis.openapi.from_dict({**DOCUMENT, "paths": paths})
    schema.config.generation.update(with_security_parameters=False)
    return schema["/"]["POST"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_items_keep_to_the_contract(kind: str) -> None:
    @seed(SEED)
    @generated(EXAMPLES)
    @given(case=sending(KINDS[kind]).as_strategy(generation_mode=GenerationMode.POSITIVE))
    def run(case: Case[Any]) -> None:
        body: Any = {"items": [copy.deepcopy(case.body)]}
        bodies.prepare(body)
        (item,) = ITEMS.validate_python(body["items"])
        stored = item.model_dump(mode="json", by_alias=True, exclude_unset=True)
        STORED.validate(shown({**stored, "id": stored.get("id") or "item_1"}))

    run()
