"""The local Codex CLI as both engines start it: a home of its own, the user's login and model settings, and nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from wireloom.backends.base import MODALITIES
from wireloom.backends.codex.models import CodexModel
from wireloom.errors import InvalidRequest, UpstreamError
from wireloom.wire.json import Json

LOGIN = "auth.json"
# Variables that name what is trusted -> an empty file, and a folder that is not there.
NO_ROOTS: Mapping[str, str] = {"SSL_CERT_FILE": "no-roots.pem", "SSL_CERT_DIR": "no-roots"}
CATALOGUE = "wireloom-models.json"
CATALOGUE_SECONDS = 20.0
# What comes of reading JSON of another form as a catalogue.
NO_LIST = (AttributeError, KeyError, TypeError)
OWN_TOOLS = ("shell_tool", "unified_exec", "view_image")
"""Features that let Codex act by itself; on under --agent alone."""

# Without these Codex adds 15 to 37 kB of tools and texts to each request (measured with CLI 0.169.0).
MINIMAL: Mapping[str, Any] = {
    "web_search": "disabled",
    "include_permissions_instructions": False,
    "include_environment_context": False,
    "include_apps_instructions": False,
    "include_collaboration_mode_instructions": False,
    "skills.include_instructions": False,
    "project_doc_max_bytes": 0,
    "tools.experimental_request_user_input.enabled": False,
    **{
        f"features.{name}": False
        for name in (
            *OWN_TOOLS,
            "goals",
            "multi_agent",
            "apps",
            "plugins",
            "sleep_tool",
            "image_generation",
            "hooks",
            "skill_search",
            "tool_suggest",
            "skill_mcp_dependency_install",
            # It would write the whole environment, keys included, into a file.
            "shell_snapshot",
        )
    },
}
# Unsubscribed threads would stay in memory.
UNLOADING: Mapping[str, Any] = {"thread_unload_delay_secs": 1}
# Codex would cut the outputs of tools, and sum a conversation up that it takes to be too long for the model: what is too
# long is for the model's provider to say.
BOUNDLESS = 10**9
# Members of a catalogued model that bring tools of their own or change what is said, and what they are without.
PLAIN: Mapping[str, Any] = {
    "apply_patch_tool_type": None,
    "tool_mode": None,
    "multi_agent_version": None,
    "use_responses_lite": False,
    "experimental_supported_tools": [],
    "context_window": BOUNDLESS,
    "max_context_window": BOUNDLESS,
    "truncation_policy": {"mode": "bytes", "limit": BOUNDLESS},
}
# A model that only the user's settings name is taken to be like this one, as far as nothing else is known.
LIKE = "gpt-5.5"
UNKNOWN: Mapping[str, Any] = {
    "visibility": "hide",
    "default_reasoning_level": None,
    "supported_reasoning_levels": [],
    "service_tiers": [],
    "additional_speed_tiers": [],
}


@dataclass(slots=True)
class Codex:
    """An installation of the Codex CLI and how it is used.

    Args:
        binary: name or path of the program.
        home: a CODEX_HOME that is wireloom's alone.
        user_home: the user's, of which only the login is linked.
        environment: variables of the child, without CODEX_HOME.
        overrides: dotted key of Codex's configuration -> value: what is carried over from the user's.
        cwd: where it works when a request names no folder.
        allowed_roots: folders within which a request may name one.
        model: the model for requests that leave it to Codex, or None for Codex's own choice.
        models: other models that the settings name.
        agent: whether Codex may use its own tools and write into its folder.
        fast: whether a request that names no effort gets a low one.
        ephemeral: whether Codex keeps no record of its threads.
        catalogue: the models it knows, after `prepare`.
    """

    binary: str
    home: Path
    user_home: Path
    environment: Mapping[str, str]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    cwd: Path = Path("/")
    allowed_roots: tuple[Path, ...] = ()
    model: str | None = None
    models: tuple[str, ...] = ()
    agent: bool = False
    fast: bool = False
    ephemeral: bool = True
    catalogue: list[Json] = field(default_factory=list)

    @property
    def sandbox(self) -> str:
        """What its commands may do."""
        return "workspace-write" if self.agent else "read-only"

    def program(self) -> Path:
        """The program itself: behind the launcher from npm, which costs a quarter of a second, the native one.

        Raises:
            UpstreamError: there is none.
        """
        path = found_program(self.binary, self.environment.get("PATH")).resolve()
        if path.suffix != ".js":
            return path
        package = path.parent.parent
        for folder in (package / "node_modules" / "@openai", package.parent, package):
            for native in sorted(
                (*folder.glob("codex-*/vendor/*/bin/codex"), *folder.glob("vendor/*/bin/codex"))
            ):
                if os.access(native, os.X_OK):
                    return native
        return path

    def child_environment(self) -> dict[str, str]:
        """All variables of the child; HOME is its own home too, since the user's may hold skills.

        For each thread Codex reads every certificate it is to trust, which takes as long as all its other work for a
        short turn (measured with CLI 0.169.0); where nothing is asked over TLS there are none.
        """
        roots = {} if self.agent or not self._unencrypted() else NO_ROOTS
        own = {"HOME": str(self.home), "CODEX_HOME": str(self.home)}
        return {**self.environment, **{name: str(self.home / file) for name, file in roots.items()}, **own}

    def _unencrypted(self) -> bool:
        """Whether the provider is the user's own, is asked over plain HTTP, and has no login that is renewed elsewhere."""
        providers = self.overrides.get("model_providers")
        provider = (
            providers.get(self.overrides.get("model_provider")) if isinstance(providers, Mapping) else None
        )
        if not isinstance(provider, Mapping) or any(
            name.startswith("model_providers.") for name in self.overrides
        ):
            return False
        plain = str(provider.get("base_url", "")).startswith("http://")
        return plain and not provider.get("requires_openai_auth")

    def config(self) -> dict[str, Any]:
        """Dotted key -> value of the configuration, for a process or a thread."""
        if self.agent:
            base = {name: value for name, value in MINIMAL.items() if not _acts(name)}
        else:
            base = {**MINIMAL, "tool_output_token_limit": BOUNDLESS}
        return {**base, **self.overrides}

    def arguments(self) -> list[str]:
        """The options of a process that say its configuration."""
        catalogue = {"model_catalog_json": str(self.home / CATALOGUE)} if self.catalogue else {}
        options = {**catalogue, **UNLOADING, **self.config()}
        return [part for name, value in options.items() for part in ("-c", f"{name}={toml(value)}")]

    def exec_options(self) -> list[str]:
        """The options of `codex exec`: what it may do, what it reads, and its configuration."""
        kept = ["--ephemeral"] if self.ephemeral else []
        safe = ["--json", "--skip-git-repo-check", "--ignore-user-config", "--ignore-rules", *kept]
        return [*safe, "--sandbox", self.sandbox, *self.arguments()]

    def folder(self, metadata: Mapping[str, str]) -> Path:
        """Where a request works.

        Args:
            metadata: of the request; its `cwd` names a folder.

        Raises:
            InvalidRequest: that folder is none, or not one that may be named.
        """
        named = metadata.get("cwd")
        if named is None:
            return self.cwd
        path = Path(named)
        resolved = path.resolve()
        if not path.is_absolute() or not any(resolved.is_relative_to(root) for root in self.allowed_roots):
            raise InvalidRequest(
                "metadata.cwd: this is no folder within an --allowed-root.", param="metadata.cwd"
            )
        if not resolved.is_dir():
            raise InvalidRequest("metadata.cwd: there is no such folder.", param="metadata.cwd")
        return resolved

    @property
    def own_models(self) -> tuple[str, ...]:
        """The models that the settings name, the default first."""
        return tuple(dict.fromkeys(name for name in (self.model, *self.models) if name))

    def catalogued(self) -> list[CodexModel]:
        """The models of the catalogue that may be chosen."""
        return [_model(entry) for entry in self.catalogue if entry.get("visibility") == "list"]

    async def prepare(self) -> None:
        """Make the home ready: private, with the user's login linked, and with the catalogue of models.

        Raises:
            UpstreamError: the program does not tell its models.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)
        (self.home / NO_ROOTS["SSL_CERT_FILE"]).touch(mode=0o600)
        self.link_login()
        if not self.catalogue:
            self.catalogue = await self._read_catalogue()
            _write(self.home / CATALOGUE, msgspec.json.encode({"models": self._kept()}))

    def _kept(self) -> list[Json]:
        """The catalogue as Codex reads it: of an agent as it is, else of models without anything of their own."""
        if self.agent:
            return self.catalogue
        listed = {model["slug"]: {**model, **PLAIN} for model in self.catalogue}
        like = listed.get(LIKE)
        if like is not None:
            for name in self.own_models:
                listed.setdefault(name, {**like, **UNKNOWN, "slug": name, "display_name": name})
        return list(listed.values())

    def link_login(self) -> bool:
        """Link the user's login into the home; Codex reads and renews it through the link.

        Returns:
            Whether there was no link before, so that Codex may need a moment to see the login.
        """
        link, target = self.home / LOGIN, self.user_home / LOGIN
        if link.is_symlink() and (not target.exists() or link.readlink() != target):
            link.unlink()
        if target.exists() and not link.exists() and self.home.resolve() != self.user_home.resolve():
            with suppress(FileExistsError):
                link.symlink_to(target)
                return True
        return False

    async def _read_catalogue(self) -> list[Json]:
        output, code = b"", None
        try:
            process = await asyncio.create_subprocess_exec(
                self.program(),
                "debug",
                "models",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self.child_environment(),
                cwd=self.home,
            )
            try:
                async with asyncio.timeout(CATALOGUE_SECONDS):
                    output, _ = await process.communicate()
                    code = process.returncode
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
            models = msgspec.json.decode(output)["models"]
            return [model for model in models if isinstance(model.get("slug"), str)]
        except (OSError, TimeoutError, msgspec.MsgspecError, *NO_LIST) as error:
            raise UpstreamError(
                f"{self.binary} does not tell its models (exit code {code}). wireloom needs Codex CLI 0.169 or later.",
                code="upstream_unreachable",
                status=503,
            ) from error


def _model(entry: Json) -> CodexModel:
    levels = entry.get("supported_reasoning_levels")
    kinds, window = entry.get("input_modalities"), entry.get("context_window")
    return CodexModel(
        entry["slug"],
        tuple(str(level["effort"]) for level in levels if "effort" in level)
        if isinstance(levels, list)
        else (),
        tuple(kind for kind in MODALITIES if kind in kinds) if isinstance(kinds, list) else ("text",),
        window if isinstance(window, int) else None,
        entry.get("priority") == 1,
    )


def found_program(binary: str, path: str | None) -> Path:
    """Where the Codex CLI is; a start that needs it can make sure of it beforehand.

    Args:
        binary: name or path of the program.
        path: folders to look in, as in the variable PATH; None for that of this process.

    Raises:
        UpstreamError: there is none.
    """
    found = shutil.which(binary, path=path)
    if found is None:
        raise UpstreamError(
            f"There is no program {binary!r}. Install the Codex CLI, or name it with --codex-bin.",
            code="upstream_unreachable",
            status=503,
        )
    return Path(found)


def _acts(name: str) -> bool:
    return name.removeprefix("features.") in OWN_TOOLS


def _write(path: Path, data: bytes) -> None:
    """Write a file for its owner alone, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(name, path)


def toml(value: Any) -> str:
    """A value as Codex's command line takes it.

    Args:
        value: what TOML and JSON both can say; objects become inline tables.
    """
    if isinstance(value, Mapping):
        inside = ", ".join(f"{toml(str(name))} = {toml(each)}" for name, each in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.json.encode(value).decode()
