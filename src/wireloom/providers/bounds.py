"""Bounds of parameters: the nearest value that an upstream takes."""

from collections.abc import Mapping


def bounded(name: str, value: object, minimums: Mapping[str, float], maximums: Mapping[str, float]) -> object:
    """Return the value of a parameter that an upstream takes, the nearest to one; what is no number as it is.

    :param name: of the parameter.
    :param value: as it was asked for.
    :param minimums: smallest values by name.
    :param maximums: largest values by name.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    least, most = minimums.get(name, value), maximums.get(name, value)
    near = least if value < least else most if value > most else value
    # TOML's numbers are read as fractions; a count stays a whole number.
    return int(near) if isinstance(value, int) and float(near).is_integer() else near
