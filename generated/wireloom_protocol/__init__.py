"""The compiled contracts: types and route stubs, remade by `nox -s generate`; do not edit."""
