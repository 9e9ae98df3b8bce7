"""What differs between Chat Completions upstreams, as data: one TOML profile each."""

from wireloom.providers.profile import ModelProfiles, Profile
from wireloom.providers.shipped import ProfileError, guess, load, names, parse

__all__ = ["ModelProfiles", "Profile", "ProfileError", "guess", "load", "names", "parse"]
