"""Web search: by the upstream's own means, or not at all."""

from __future__ import annotations

from typing import Any

from wireloom.translate.rules.loss import How, Rule
from wireloom.translate.tools.base import Offering, ToolKind


def _offer(offering: Offering, path: str, tool: Any) -> None:
    profile = offering.profile
    if not profile.searches(offering.model):
        offering.losses.add(path, "dropped", f"{profile.title} does not search the web for this model")
        return
    if getattr(tool, "external_web_access", None) is False:
        # The upstreams' own searches read the live web and have no cached form.
        offering.losses.add(path, "dropped", f"{profile.title} searches the live web only")
        return
    offering.tools.search = True
    asked = tool.model_fields_set - {"type", "external_web_access", "search_content_types"}
    for name in sorted(name for name in asked if getattr(tool, name) is not None):
        offering.losses.add(f"{path}.{name}", "dropped", "no such setting upstream")


KIND = ToolKind(
    members={
        "web_search": "external_web_access",
        "web_search_2025_08_26": "external_web_access",
        "web_search_preview": "",
        "web_search_preview_2025_03_11": "",
    },
    offered=Rule(
        How.EMULATED, _offer, "by the upstream's own search where its profile names one, else left out"
    ),
)
