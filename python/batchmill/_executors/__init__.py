"""Distributed engines that run frames, each with the same small interface."""

from __future__ import annotations

from batchmill._executors._base import Executor, ExecutorRefusedError, Outcome, Program

__all__ = ["Executor", "ExecutorRefusedError", "Outcome", "Program", "executor_for"]


def executor_for(name: str) -> Executor:
    """Connect to an executor.

    Parameters
    ----------
    name : str
        `dask=ADDRESS`, `dask=local`, `ray=ADDRESS`, `ray=auto`, `ray=local` or `python=MODULE:FUNCTION`.

    Raises
    ------
    ExecutorRefusedError
        If it is not installed, not there or not an executor.
    """
    kind, _, which = name.partition("=")
    if kind == "python":
        from batchmill._executors._futures import FuturesExecutor

        return FuturesExecutor(which)
    if kind == "dask":
        from batchmill._executors._dask import DaskExecutor

        return DaskExecutor(which)
    if kind == "ray":
        from batchmill._executors._ray import RayExecutor

        return RayExecutor(which)
    raise ExecutorRefusedError(f"`{kind}` is not a kind of executor", "choose `dask`, `ray` or `python`")
