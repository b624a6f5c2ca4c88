"""A `concurrent.futures.Executor` whose workers are the engine's."""

from __future__ import annotations

import concurrent.futures
import os
import select
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Final, ParamSpec, TypeVar

from batchmill._map_arguments import MapArguments
from batchmill._call import Answer, Call, CallOptions
from batchmill._errors import EngineDiedError
from batchmill._retry import Retry

__all__ = ["Executor"]

P = ParamSpec("P")
T = TypeVar("T")

# How many calls each worker has at hand, the one that it runs included. The others can still be cancelled.
_AT_HAND: Final = 2
# How often an executor that nobody has shut down looks whether the program is about to end, in milliseconds.
_LOOK: Final = 500

_Task = tuple["Future[Any]", tuple[Any, tuple[Any, ...], dict[str, Any]]]


def _apply(task: tuple[Callable[..., T], tuple[Any, ...], dict[str, Any]]) -> T:
    function, arguments, named = task
    return function(*arguments, **named)


class Executor(concurrent.futures.Executor):
    """Runs functions in worker processes.

    Unlike a `ProcessPoolExecutor`, it survives the death of a worker, which costs only the call that it was running; it takes
    functions of scripts and notebooks; and it can limit the time and the memory of each call.

    Parameters
    ----------
    workers
        How many processes. Default: the cores that this process may use.
    timeout
        The most seconds for one attempt at one call. Then its worker is killed, and the future raises a `RemoteError`.
    retry
        How often each call is tried: a number, or a `Retry`. Default: once.
    max_memory
        The most memory of a worker, in bytes or as text such as `"2GiB"`.
    max_items_per_worker
        After how many calls a worker is replaced by a fresh one.

    Examples
    --------
    >>> import batchmill
    >>> with batchmill.Executor(workers=2) as executor:
    ...     future = executor.submit(pow, 2, 10)
    ...     list(executor.map(abs, [-1, 2]))
    ...     future.result()
    [1, 2]
    1024
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        timeout: float | None = None,
        retry: int | Retry | None = None,
        max_memory: int | str | None = None,
        max_items_per_worker: int | None = None,
    ) -> None:
        arguments = MapArguments(
            workers=workers, timeout=timeout, retry=retry, max_memory=max_memory, max_items_per_worker=max_items_per_worker
        )
        self._work = _Work(arguments.call_options())
        # An executor that nobody has any more finishes its calls, and ends.
        weakref.finalize(self, self._work.shut_down).atexit = False

    @property
    def workers(self) -> int:
        """How many processes."""
        return self._work.options.workers

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` in a worker.

        Returns
        -------
        concurrent.futures.Future
            Of the result. It raises what `fn` raises, with an `ItemError` as the cause, or `TypeError` if the function or an
            argument cannot be pickled.

        Raises
        ------
        RuntimeError
            After `shutdown`.
        """
        future: Future[T] = Future()
        self._work.add(future, (fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the executor once all calls are done, or, with `cancel_futures`, those that run already."""
        self._work.shut_down(cancel=cancel_futures)
        if wait:
            self._work.join()

    def kill_workers(self) -> None:
        """End the executor at once. Calls that run are killed, and their futures raise `CancelledError`."""
        self._work.shut_down(kill=True)
        self._work.join()

    def share_buffers(self) -> None:
        """Send a large buffer only once, however many calls have it. Nobody may change it then. Call it before `submit`."""
        self._work.options.share = True

    def renew_buffers(self) -> None:
        """Send large buffers again from now on: they may have changed."""
        self._work.has_stale_buffers = True


class _Work:
    """What an executor and its thread share. The thread does not keep the executor."""

    def __init__(self, options: CallOptions) -> None:
        self.options = options
        self.has_stale_buffers = False
        self._lock = threading.Lock()
        self._waiting: deque[_Task] = deque()
        self._running: dict[int, Future[Any]] = {}
        self._is_shut_down = False
        self._is_killed = False
        # What has ended the thread.
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        # What wakes the thread: a pipe.
        self._reader = self._writer = -1

    def add(self, future: Future[Any], task: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> None:
        """Have a task run."""
        with self._lock:
            if self._error is not None:
                raise RuntimeError(f"the executor has ended: {self._error}") from self._error
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._thread is None:
                self._reader, self._writer = os.pipe()
                os.set_blocking(self._writer, False)
                thread = threading.Thread(target=self._run, name="batchmill-executor")
                thread.start()
                self._thread = thread
            self._waiting.append((future, task))
            self._ring()

    def shut_down(self, *, cancel: bool = False, kill: bool = False) -> None:
        """Take no more tasks; cancel those that wait; kill those that run."""
        with self._lock:
            self._is_shut_down = True
            self._is_killed |= kill
            cancelled = list(self._waiting) if cancel else []
            if cancel:
                self._waiting.clear()
            self._ring()
        for future, _ in cancelled:
            future.cancel()
            future.set_running_or_notify_cancel()

    def join(self) -> None:
        """Wait for the end of the thread."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _ring(self) -> None:
        if self._writer >= 0:
            try:
                os.write(self._writer, b"!")
            except BlockingIOError:
                pass  # It has not been heard yet, which will do.

    # -- the thread -----------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        call: Call | None = None
        try:
            call = Call(_apply, self.options, lambda _seconds, _items, _bytes: None)
            while self._step(call):
                pass
            if self._is_killed:
                self._fail(CancelledError())
                return
            call.end()
            while not call.ended:
                self._settle(call.answers() or [])
        except BaseException as error:
            self._error = error
            self._fail(error)
        finally:
            if call is not None:
                call.close()
            with self._lock:
                os.close(self._reader)
                os.close(self._writer)
                self._writer = -1

    def _step(self, call: Call) -> bool:
        self._give(call)
        with self._lock:
            if self._is_killed:
                return False
            if not self._waiting and not self._running:
                ending = self._is_shut_down or not threading.main_thread().is_alive()
                if ending:
                    self._is_shut_down = True
                    return False
        poll = select.poll()
        for file in (call.fileno(), self._reader):
            poll.register(file, select.POLLIN)
        readable = {file for file, _ in poll.poll(_LOOK)}
        if self._reader in readable:
            os.read(self._reader, 4096)
        if call.fileno() in readable:
            while (answers := call.answers(wait=False)) is not None:
                self._settle(answers)
                if call.ended:
                    raise EngineDiedError("the engine has ended the call")
        return True

    def _give(self, call: Call) -> None:
        while True:
            with self._lock:
                if not self._waiting or len(self._running) >= _AT_HAND * self.options.workers:
                    return
                future, task = self._waiting.popleft()
                if not future.set_running_or_notify_cancel():
                    continue
                self._running[call.given] = future
                index = call.given
            if self.has_stale_buffers:
                self.has_stale_buffers = False
                call.renew_buffers()
            try:
                call.give([task])
            except Exception as error:
                with self._lock:
                    del self._running[index]
                future.set_exception(error)

    def _settle(self, answers: list[Answer]) -> None:
        for answer in answers:
            if answer.failure is not None:
                self._running.pop(answer.first).set_exception(answer.failure.to_exception())
                continue
            for index, value in enumerate(answer.values, answer.first):
                self._running.pop(index).set_result(value)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._is_shut_down = True
            futures = [*self._running.values(), *(future for future, _ in self._waiting)]
            self._running.clear()
            self._waiting.clear()
        for future in futures:
            if not future.done():
                future.set_exception(error)
