"""The Models face: one body for SDKs and for the Codex CLI's catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from wireloom_protocol import replies
from wireloom_protocol.operations import ModelsApi

from wireloom.backends.base import Caller, ModelInfo
from wireloom.gateway import Gateway
from wireloom_runtime.operations import Reply

# What the Codex CLI tells a model that it knows nothing about; the CLI adds tools, permissions and project notes.
BASE_INSTRUCTIONS = """\
You are a coding agent. You work in a terminal, in the user's workspace, through the tools you are given.

How to work:
- Understand before you change: look at the files concerned, search rather than guess, and read the project's own notes.
- Go on until the task is done: make the change, run what shows that it works, and mend what does not.
- Keep to what was asked. Change as little as serves it, in the style of the code around it, and leave alone what \
has nothing to do with it. Never undo changes you did not make.
- Edit files with apply_patch where it is offered; use the shell to look, build and test.
- Prefer fast searches (rg, if it is there) to reading everything. Run independent commands at the same time if you can.
- Where the task is large, make a plan in a few steps and keep it up to date. Where it is small, just do it.
- Ask only when you cannot find out and a wrong guess would cost much. Say plainly what you could not do or verify.
- Never run what destroys data or history (such as a hard reset or a recursive delete) unless the user asked for it.

How to report:
- Be brief and concrete: what you changed and where, what you ran and what came out, what is left to decide.
- Name files by path, with a line where it helps. Do not paste whole files that the user can open.
"""
EFFORTS = {
    "none": "No reasoning",
    "minimal": "As little reasoning as possible",
    "low": "Quick answers with light reasoning",
    "medium": "A balance of speed and depth",
    "high": "More depth for hard problems",
    "xhigh": "Great depth for very hard problems",
    "max": "All the depth there is",
}
TOOL_OUTPUT_BYTES = 10_000


@final
class Models(ModelsApi[Caller]):
    """Lists what the gateway can reach.

    Args:
        gateway: the road to a backend.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def list_models(
        self, caller: Caller, client_version: str | None
    ) -> Reply[replies.ListModelsResponse]:
        """See the contract's listModels."""
        found = await self._gateway.models(caller)
        return Reply(
            {
                "object": "list",
                "data": [_listed(info) for info in found],
                "models": catalogue(found),
            }
        )

    async def retrieve_model(self, caller: Caller, model: str) -> Reply[replies.Model]:
        """See the contract's retrieveModel."""
        return Reply(_listed(await self._gateway.model(model, caller)))


def _listed(info: ModelInfo) -> replies.Model:
    return {"id": info.id, "object": "model", "created": info.created, "owned_by": info.owned_by}


def catalogue(models: Iterable[ModelInfo]) -> list[replies.CodexModel]:
    """Models as the Codex CLI's catalogue has them, in the order in which it shows them."""
    return [catalogued(info, position) for position, info in enumerate(models)]


def catalogued(info: ModelInfo, priority: int = 0) -> replies.CodexModel:
    """A model as the Codex CLI's catalogue has it.

    Args:
        info: the model.
        priority: place in the CLI's list, smallest first.
    """
    entry: replies.CodexModel = {
        "slug": info.id,
        "display_name": info.id,
        "description": f"{info.id} through wireloom",
        "supported_reasoning_levels": [
            {"effort": effort, "description": EFFORTS[effort]} for effort in info.efforts
        ],
        "default_reasoning_level": "medium" if "medium" in info.efforts else None,
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "support_verbosity": info.verbosity,
        "truncation_policy": {"mode": "bytes", "limit": TOOL_OUTPUT_BYTES},
        "experimental_supported_tools": [],
        "base_instructions": BASE_INSTRUCTIONS if info.instructions is None else info.instructions,
        "apply_patch_tool_type": "freeform" if info.apply_patch else None,
        "supports_search_tool": info.tool_search,
        # The CLI knows no other kinds, and refuses a catalogue with one.
        "input_modalities": [kind for kind in info.modalities if kind != "audio"],
        "context_window": info.context_window,
    }
    if info.web_search:
        entry["web_search_tool_type"] = "text"
    return entry
