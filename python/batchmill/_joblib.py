"""A backend of joblib that runs its tasks in the engine's workers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from batchmill._map_arguments import cores
from batchmill._executor import Executor

__all__ = ["register_joblib"]

# The options of `Executor` that `parallel_config` may be given.
_OPTIONS: Final = ("timeout", "retry", "max_memory", "max_items_per_worker")


def register_joblib(*, default: bool = False) -> None:
    """Register batchmill as a backend of joblib, named `"batchmill"`.

    Whatever uses joblib runs in the engine's workers then, such as `n_jobs` of scikit-learn. Arrays of 1 MiB and more are
    mapped by the workers, once for each call of `Parallel`; do not change them while it runs. A worker that writes to one gets
    its own copy.

    Parameters
    ----------
    default
        Whether it becomes the backend that joblib uses unless told otherwise.

    Raises
    ------
    ImportError
        If joblib is not installed.

    Examples
    --------
    >>> import batchmill, joblib
    >>> batchmill.register_joblib()
    >>> with joblib.parallel_config(backend="batchmill", n_jobs=2):
    ...     joblib.Parallel()(joblib.delayed(pow)(2, n) for n in range(4))
    [1, 2, 4, 8]
    """
    parallel: Any = importlib.import_module("joblib.parallel")
    parallel.register_parallel_backend("batchmill", _backend(), make_default=default)


def _backend() -> Any:
    """Return the class of the backend. Its bases are joblib's, which not everyone has."""
    backends: Any = importlib.import_module("joblib._parallel_backends")
    bases = (_Backend, backends.AutoBatchingMixin, backends.ParallelBackendBase)
    return type("BatchmillBackend", bases, {"joblib": backends})


class _Backend:
    """What joblib asks of a backend. Names and arguments are joblib's."""

    supports_retrieve_callback = True
    # Of `joblib._parallel_backends`, and of its base classes.
    joblib: Any
    nesting_level: int | None
    backend_kwargs: dict[str, Any]
    reset_batch_stats: Callable[[], None]
    parallel: Any = None
    _executor: Executor | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(cores() + 1 + n_jobs, 1)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        count = self.effective_n_jobs(n_jobs)
        if count == 1:
            sequential = self.joblib.SequentialBackend(nesting_level=self.nesting_level)
            raise self.joblib.FallbackToBackend(sequential)
        # joblib has settings of its own, such as `max_nbytes`, which mean nothing here.
        given = {**self.backend_kwargs, **options}
        self._executor = Executor(count, **{name: given[name] for name in _OPTIONS if name in given})
        self._executor.share_buffers()
        self.parallel = parallel
        return count

    def start_call(self) -> None:
        # Between two calls of one `Parallel`, arrays may have changed.
        if self._executor is not None:
            self._executor.renew_buffers()

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], None] | None = None) -> Future[Any]:
        assert self._executor is not None, "joblib configures a backend before it submits"
        future = self._executor.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        return out.result()

    def terminate(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.kill_workers()
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)
