"""Peers of py-noop: the same function over the same integers, all results in one list.

    py_noop.py loop|listcomp|pool N [--jobs J] [--chunk C] [--check]
"""

import argparse


def double(item):
    return item * 2


def loop(n, args):
    results = []
    for item in range(n):
        results.append(double(item))
    return results


def listcomp(n, args):
    return [double(item) for item in range(n)]


def pool(n, args):
    import multiprocessing

    with multiprocessing.Pool(args.jobs) as workers:
        return workers.map(double, range(n), chunksize=args.chunk)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["loop", "listcomp", "pool"])
    parser.add_argument("n", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--chunk", type=int, help="items per message; by default Pool's own choice")
    parser.add_argument("--check", action="store_true", help="fail unless the results are right")
    args = parser.parse_args()
    results = {"loop": loop, "listcomp": listcomp, "pool": pool}[args.how](args.n, args)
    if args.check and results != list(range(0, 2 * args.n, 2)):
        raise SystemExit("wrong results")
