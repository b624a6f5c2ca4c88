"""Peers of py-noop and py-cpu: the same function over the same integers, all results in one list, in order.

    py_map.py loop|listcomp|pool|imap|joblib FUNCTION N [--jobs J] [--chunk C] [--write FILE]
"""

import argparse
import multiprocessing

import functions


def loop(function, args):
    results = []
    for item in range(args.n):
        results.append(function(item))
    return results


def listcomp(function, args):
    return [function(item) for item in range(args.n)]


def pool(function, args):
    with multiprocessing.Pool(args.jobs) as workers:
        return workers.map(function, range(args.n), chunksize=args.chunk)


class Indexed:
    """A function whose result knows its place, for results that come in any order."""

    def __init__(self, function):
        self.function = function

    def __call__(self, item):
        return item, self.function(item)


def imap(function, args):
    results = [None] * args.n
    with multiprocessing.Pool(args.jobs) as workers:
        for item, result in workers.imap_unordered(Indexed(function), range(args.n), chunksize=args.chunk):
            results[item] = result
    return results


def joblib(function, args):
    from joblib import Parallel, delayed

    return Parallel(n_jobs=args.jobs)(delayed(function)(item) for item in range(args.n))


if __name__ == "__main__":
    ways = {way.__name__: way for way in (loop, listcomp, pool, imap, joblib)}
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=ways)
    parser.add_argument("function")
    parser.add_argument("n", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--chunk", type=int, help="items per message; by default Pool's own choice")
    parser.add_argument("--write", help="file for the results, one per line, for who wants to check them")
    args = parser.parse_args()
    results = ways[args.how](getattr(functions, args.function), args)
    assert len(results) == args.n
    if args.write:
        with open(args.write, "w") as file:
            file.writelines(f"{result}\n" for result in results)
