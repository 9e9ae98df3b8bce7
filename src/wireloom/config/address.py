"""How an upstream is reached besides its URL: headers, the header of the key, a proxy, certificates to trust."""

import re
import ssl
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, model_validator

from wireloom.config.flags import Flag
from wireloom.config.layers import not_set, variable
from wireloom.config.mistakes import Mistake, Mistakes, plain
from wireloom.config.table import Table
from wireloom.config.values import FilePath, HttpUrl, VariableName, json_object, read_key

NO_KEY = "none"
"""Value of `upstream_key_header` with which no key is sent."""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~](?:[\t -~]*[!-~])?")
# The gateway's own: another value would break the request, or send it elsewhere.
_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "transfer-encoding",
    }
)


class HeaderEntry(Table):
    """The value of a header of its own: as it is, or where it stands."""

    value: SecretStr | None = Field(None, description="The value itself.")
    env: VariableName | None = Field(None, description="Variable with the value.")
    file: FilePath | None = Field(None, description="File with the value.")

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        given = [each for each in (self.value, self.env, self.file) if each is not None]
        if len(given) != 1:
            about = frozenset({"value", "env", "file"})
            raise Mistakes(Mistake((), "this needs one of value, env and file.", about=about))
        found = self.secret
        if found is None and self.env is not None:
            raise Mistakes(Mistake((), not_set(self.env), word=self.env))
        if found is None:
            message = (
                f"{plain(self.file)} holds no value: one line of visible ASCII. Correct it, or name another."
            )
            raise Mistakes(Mistake((), message))
        if not _VALUE.fullmatch(found.get_secret_value()):
            raise Mistakes(Mistake((), "the value of a header must be visible ASCII."))
        return self

    @property
    def secret(self) -> SecretStr | None:
        """The value, wherever it is; None where the variable or the file that is named holds none."""
        if self.env is not None:
            held = variable(self.env)
            return SecretStr(held) if held else None
        return self.value or (read_key(self.file) if self.file is not None else None)


def _entries(given: Any) -> Any:
    told = json_object(given)
    if not isinstance(told, dict):
        return told
    return {name: {"value": each} if isinstance(each, str) else each for name, each in told.items()}


def _header_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("this is no name of a header")
    if name.lower() in _OWN:
        raise ValueError("the gateway sets this header itself")
    return name.lower()


def _holds_certificates(path: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ssl.SSLError):
        raise Mistakes(
            Mistake((), plain(f"{path} holds no certificates in PEM form. Name another."))
        ) from None
    return path


def _proxy(url: str) -> str:
    if not url.startswith("http://"):
        raise ValueError("the proxy must be an http URL; what goes through it to https stays encrypted")
    return url


HeaderName = Annotated[str, AfterValidator(_header_name)]
Headers = Annotated[dict[HeaderName, HeaderEntry], BeforeValidator(_entries)]


class AddressFields(BaseModel):
    """The settings of the way to an upstream."""

    upstream_headers: Annotated[
        Headers,
        Field(
            description="Headers to add to every upstream request: {NAME: value}, or {NAME: {env: VARIABLE}} and "
            "{NAME: {file: PATH}} for secrets.",
            repr=False,
        ),
        Flag("JSON", '{"x-team": "a", "x-token": {"env": "TOKEN"}}', private=True),
    ] = {}
    upstream_key_header: Annotated[
        HeaderName,
        Field(
            description="Header of the upstream's key: authorization (as a bearer token), another such as api-key or "
            "x-api-key, or none."
        ),
        Flag("NAME", "api-key"),
    ] = "authorization"
    upstream_proxy: Annotated[
        Annotated[HttpUrl, AfterValidator(_proxy)] | None,
        Field(description="HTTP proxy through which the upstream is reached."),
        Flag("URL", "http://proxy.example:3128", private=True),
    ] = None
    upstream_ca: Annotated[
        Annotated[FilePath, AfterValidator(_holds_certificates)] | None,
        Field(description="PEM file with certificates to trust besides those of the system."),
        Flag("FILE", "/etc/ssl/company.pem"),
    ] = None

    @property
    def headers_upstream(self) -> dict[str, str]:
        """The headers of the upstream's own, with their values."""
        found = {name: entry.secret for name, entry in self.upstream_headers.items()}
        return {name: value.get_secret_value() for name, value in found.items() if value is not None}
