"""The settings of the local Codex CLI as a backend."""

from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from wireloom.config.flags import Flag
from wireloom.config.layers import not_set, variable
from wireloom.config.mistakes import Mistake, Mistakes
from wireloom.config.values import ConfigValues, FilePath, Paths, SocketUrl, VariableName


class CodexFields(BaseModel):
    """How the backends app-server and exec start the CLI, and what it may do."""

    codex_bin: Annotated[
        str,
        Field(min_length=1, description="Codex CLI: a name or a path."),
        Flag("PROGRAM", "codex"),
    ] = "codex"
    codex_home: Annotated[
        FilePath | None,
        Field(
            description="Home that Codex gets. Default: codex-home in the state folder. Of your own home, only the "
            "login and the model settings are used.",
        ),
        Flag("DIR", "/var/lib/wireloom/codex-home", aliases=("--app-server-codex-home",)),
    ] = None
    codex_config: Annotated[
        ConfigValues,
        Field(description="Value for Codex's configuration, above all others. Repeatable.", repr=False),
        Flag("KEY=VALUE", "model_provider=azure", private=True, repeatable=True),
    ] = {}
    agent: Annotated[
        bool,
        Field(description="Let Codex use its own tools and write to its folder. For clients you trust."),
        Flag(negatable=True),
    ] = False
    fast: Annotated[
        bool,
        Field(description="Ask for low reasoning effort when a request names none."),
        Flag(negatable=True),
    ] = False
    default_cwd: Annotated[
        FilePath | None,
        Field(description="Folder that Codex works in. Default: an empty one in the state folder."),
        Flag("DIR", "/srv/work"),
    ] = None
    allowed_root: Annotated[
        Paths,
        Field(description="Folder within which a request may choose its own, by metadata.cwd. Repeatable."),
        Flag("DIR", "/srv/work", repeatable=True),
    ] = ()
    proxy: Annotated[
        str | None,
        Field(min_length=1, description="Proxy through which Codex reaches its provider."),
        Flag("URL", "http://127.0.0.1:3128", private=True),
    ] = None
    ephemeral: Annotated[
        bool,
        Field(description="Keep no record of Codex's threads."),
        Flag(negatable=True),
    ] = True
    app_server_url: Annotated[
        SocketUrl | None,
        Field(description="Use an app-server that is already running: ws://HOST:PORT or unix:///PATH."),
        Flag("URL", "ws://127.0.0.1:4500"),
    ] = None
    app_server_token_env: Annotated[
        VariableName | None,
        Field(description="Variable with the token of that app-server."),
        Flag("VARIABLE", "APP_SERVER_TOKEN", private=True),
    ] = None

    @field_validator("app_server_token_env")
    @classmethod
    def _is_set(cls, name: str | None) -> str | None:
        if name is not None and variable(name) is None:
            raise Mistakes(Mistake((), not_set(name), word=name))
        return name

    @property
    def app_server_token(self) -> str | None:
        """The token of an app-server that runs already."""
        return variable(self.app_server_token_env) if self.app_server_token_env else None
