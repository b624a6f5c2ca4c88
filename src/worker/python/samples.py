"""Counts what runs while the worker uses the CPU. `sampler.rs` has the other half."""

import signal

# The most functions of a stack, and the most stacks that are told apart.
_DEEP = 100
_MANY = 10_000

# By the identity of a code object: how it is called, and the object, so that no other gets its identity.
_names = {}
_counts = {}


def _name(code):
    known = _names.get(id(code))
    if known is None:
        if code.co_filename.startswith("<batchmill "):
            name = None
        else:
            called = getattr(code, "co_qualname", code.co_name)
            name = f"{called} ({code.co_filename}:{code.co_firstlineno})"
        known = _names[id(code)] = (name, code)
    return known[0]


def _sampled(_, frame):
    names = []
    while frame is not None and len(names) < _DEEP:
        name = _name(frame.f_code)
        if name is not None:
            names.append(name)
        frame = frame.f_back
    stack = tuple(reversed(names))
    if stack in _counts or len(_counts) < _MANY:
        _counts[stack] = _counts.get(stack, 0) + 1


def begin():
    """Have CPython call this module for each sample."""
    signal.signal(signal.SIGPROF, _sampled)


def take():
    """Return the stacks since the last call, outermost function first, with how often each was running."""
    taken = list(_counts.items())
    _counts.clear()
    return taken
