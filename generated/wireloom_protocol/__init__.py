"""The compiled contracts: types, operations and route stubs, written by `nox -s generate`; do not edit.

Importing this package imports none of its modules.
"""

from typing import Final

__version__: Final = "0.2.0"
"""The release of wireloom that these contracts belong to."""
CODEX_VERSION: Final = "0.171.0"
"""The release of the Codex CLI whose app-server contract is compiled."""
