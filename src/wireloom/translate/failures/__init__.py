"""Failures of upstreams in all their dialects: recognised by tables, taken out of their wrappers, with their delays."""

from wireloom.translate.failures.reading import UNKNOWN_MODEL, cut_off, form, upstream_error
from wireloom.translate.failures.redact import redacted

__all__ = ["UNKNOWN_MODEL", "cut_off", "form", "redacted", "upstream_error"]
