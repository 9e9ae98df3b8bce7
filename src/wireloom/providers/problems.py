"""What is wrong with a profile, in words."""

from collections.abc import Mapping


def problem(error: Mapping[str, object]) -> str:
    """Return a mistake in a profile as a sentence that names its key.

    :param error: as pydantic reports it.
    """
    location = error["loc"]
    path = ".".join(map(str, location)) if isinstance(location, tuple) else ""
    if error["type"] == "extra_forbidden":
        return f"{path}: no such key in a profile"
    return f"{path}: {error['msg']}" if path else str(error["msg"])
