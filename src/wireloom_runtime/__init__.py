"""The hand-written types under the compiled contracts; importing this package imports nothing else."""
