"""Is `batchmill profile` right? Profiles loads whose limit is known by construction, and compares.

Each load has random sizes, so that no threshold fits one of them. A load that this machine cannot make is skipped, with a word.

    make bench-profile                                  # every load: three of them ten times, the others three times
    make bench-profile ARGS='--only sleep lock --runs 1'
    make bench-profile ARGS='--apply --runs 1'          # also follow the advice, profile again, and compare the gains

BATCHMILL and BATCHMILL_PYTHON name the program and an interpreter with numpy; the Makefile sets them.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BATCHMILL = os.environ.get('BATCHMILL', 'batchmill')
PYTHON = os.environ.get('BATCHMILL_PYTHON', sys.executable)
CORES = len(os.sched_getaffinity(0))


class Load:
    """A workflow, the causes that are right for it, and a check of its own."""

    def __init__(self, flow, causes, check=None, skip=None, prepare=None, wrap=None):
        self.flow, self.causes, self.check, self.skip = textwrap.dedent(flow), causes, check, skip
        self.prepare, self.wrap = prepare or (lambda folder: None), wrap or []


def python_step(items, code, settings='', env='', setup=''):
    flow = f'name: load\n{env}steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n      repeatable: true\n'
    flow += ''.join(f'      {line}\n' for line in settings.splitlines())
    flow += '      task:\n        type: python\n'
    if setup:
        flow += '        setup: |\n' + textwrap.indent(textwrap.dedent(setup).strip(), ' ' * 10) + '\n'
    return flow + '        code: |\n' + textwrap.indent(textwrap.dedent(code).strip(), ' ' * 10) + '\n'


def sleep():
    wait = random.uniform(0.005, 0.04)
    width = random.choice([1, 2, 3])
    return Load(python_step('{range: 500}', f'import time\ntime.sleep({wait})\nreturn item', f'max_parallel: {width}'), ['waiting'])


def lock():
    whole = random.uniform(0.02, 0.05)
    code = f'''
        import fcntl, time
        time.sleep({0.7 * whole})
        with open('lock', 'w') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            time.sleep({0.3 * whole})
        return item
    '''

    def check(found):
        # Throughput that the lock allows, as a multiple of what an item without anything else would do.
        ceiling = (found['ceiling'] or 0) * whole
        return abs(ceiling * 0.3 - 1) <= 0.1, f'ceiling {ceiling:.2f}, true 3.33'

    return Load(python_step('{range: 500}', code, 'max_parallel: 2'), ['serial'], check)


def pure_python():
    steps = random.randint(20_000, 200_000)
    code = f'total = 0\nfor step in range({steps}):\n    total += step * item\nreturn total'
    return Load(python_step('{range: 500}', code, 'parallel: true'), ['cpu'])


def one_process():
    steps = random.randint(20_000, 200_000)
    code = f'total = 0\nfor step in range({steps}):\n    total += step * item\nreturn total'
    skip = 'one core' if CORES == 1 else None
    return Load(python_step('{range: 500}', code), ['too-few-workers'], skip=skip)


def stream(seconds):
    import numpy
    array = numpy.ones(8_000_000)
    other = numpy.empty_like(array)
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        numpy.add(array, 1.0, out=other)
        done += 1
    return done


def streams_saturate():
    """Whether as many streams as there are cores are much slower, each, than one."""
    probe = 'import sys; sys.path.insert(0, sys.argv[1]); import profile_loads; print(profile_loads.stream(0.7))'
    folder = tempfile.mkdtemp()
    source = Path(__file__).read_text()
    start, end = source.index('def stream('), source.index('def streams_saturate')
    Path(folder, 'profile_loads.py').write_text('import time\n' + source[start:end])
    run = lambda: subprocess.Popen([PYTHON, '-c', probe, folder], stdout=subprocess.PIPE, text=True)
    one = run()
    alone = int(one.communicate()[0])
    many = [run() for _ in range(CORES)]
    together = sum(int(process.communicate()[0]) for process in many)
    return together / alone < 0.65 * CORES, together / alone


def memory():
    saturates, ratio = streams_saturate()
    size = random.randint(6_000_000, 10_000_000)
    setup = f'import numpy\narray = numpy.ones({size})\nother = numpy.empty_like(array)'
    code = 'for _ in range(3):\n    numpy.add(array, 1.0, out=other)\nreturn item'
    skip = None if saturates else f'{CORES} streams do {ratio:.2f} times what one does here'
    return Load(python_step('{range: 500}', code, 'parallel: true', setup=setup), ['memory-bandwidth'], skip=skip)


def uneven():
    wait, items = random.uniform(0.004, 0.012), random.randint(60, 120)
    items_text = '[' + ', '.join(['1'] * (items - 1) + ['100']) + ']'
    code = f'import time\ntime.sleep({wait} * item)\nreturn item'
    return Load(python_step(items_text, code, 'max_parallel: 3'), ['uneven-items'])


def tiny_batches():
    each, item = random.uniform(0.002, 0.006), random.uniform(0.00002, 0.0001)
    code = f'import time\ntime.sleep({each} + {item} * len(item))\nreturn item'
    return Load(python_step('{range: 100000}', code, 'batched: true\nbatch_size: 1\nmax_parallel: 2'), ['small-batches'])


class Limited(ThreadingHTTPServer):
    """Answers so many requests a second, however many ask."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, rate):
        self.gap, self.next, self.gate = 1 / rate, time.monotonic(), threading.Lock()
        super().__init__(('127.0.0.1', 0), Answer)


class Answer(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1

    def do_GET(self):
        server = self.server
        with server.gate:
            server.next = max(server.next, time.monotonic()) + server.gap
            due = server.next
        time.sleep(max(0, due - time.monotonic()))
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')

    def log_message(self, *_):
        pass


def server():
    limit = Limited(random.choice([40, 50, 60]))
    threading.Thread(target=limit.serve_forever, daemon=True).start()
    flow = f'''
        steps:
          - name: work
            task: http_request
            for_each: {{range: 1000}}
            max_parallel: 2
            inputs: {{url: "http://127.0.0.1:{limit.server_address[1]}/{{{{ item }}}}"}}
    '''
    return Load(flow, ['serial'])


def start():
    flow = '''
        steps:
          - name: work
            task: shell
            for_each: {range: 1000}
            repeatable: true
            parallel: true
            inputs: {command: "true {{ item }}"}
    '''
    return Load(flow, ['process-start'])


def blas():
    size = random.randint(300, 500)
    setup = f'import numpy\nleft = numpy.random.rand({size}, {size})'
    env = 'env: {OPENBLAS_NUM_THREADS: 4, OMP_NUM_THREADS: 4}\n'
    return Load(python_step('{range: 500}', 'return float((left @ left).sum())', 'parallel: true', env, setup), ['too-many-threads'])


def quota():
    code = 'total = 0\nfor step in range(60000):\n    total += step\nreturn total'
    load = Load(python_step('{range: 500}', code, 'max_parallel: 2'), ['quota'])
    share = random.choice([60_000, 80_000])
    second, first = Path('/sys/fs/cgroup/cgroup.controllers'), Path('/sys/fs/cgroup/cpu')
    group = (Path('/sys/fs/cgroup') if second.exists() else first) / f'batchmill-{os.getpid()}'
    try:
        group.mkdir(exist_ok=True)
        if second.exists():
            (group / 'cpu.max').write_text(f'{share} 100000')
        else:
            (group / 'cpu.cfs_quota_us').write_text(str(share))
    except OSError as error:
        load.skip = f'no control group can be made: {error.strerror}'
    load.wrap = ['sh', '-c', f'echo $$ > {group}/cgroup.procs && exec "$0" "$@"']
    return load


def cold_file():
    count, size = 12, random.randint(30, 60)

    def prepare(folder):
        (folder / 'data').mkdir()
        for number in range(count):
            path = folder / 'data' / f'{number}.bin'
            path.write_bytes(os.urandom(1 << 20) * size)
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    code = 'with open(item, "rb") as file:\n    return sum(len(part) for part in iter(lambda: file.read(1 << 20), b""))'
    return Load(python_step('{glob: "data/*.bin"}', code, 'max_parallel: 1'), ['disk'], prepare=prepare)


def serial_source():
    gap = random.uniform(0.03, 0.05)
    return Load(python_step(f'$(for i in $(seq 50); do sleep {gap:.3f}; echo $i; done)', 'return len(item)', 'parallel: true'), ['source'])


LOADS = {
    'sleep': sleep, 'lock': lock, 'pure-python': pure_python, 'one-process': one_process, 'memory': memory, 'uneven': uneven,
    'tiny-batches': tiny_batches, 'server': server, 'process-start': start, 'blas-threads': blas, 'quota': quota,
    'cold-file': cold_file, 'serial-source': serial_source,
}


def profiled(load, folder, budget, *more):
    command = [*load.wrap, BATCHMILL, 'profile', 'flow.yaml', '--budget', budget, '--format', 'json', '--python', PYTHON, *more]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode != 0:
        return None, ended.stderr.strip().splitlines()[-1:]
    return json.loads(ended.stdout), None


def own_rate(found):
    """The throughput of the step as its file has it."""
    own = found['own']
    return next(row for row in found['rows'] if all(row[key] == own[key] for key in own))['throughput']['median']


def held(load, folder, budget, found):
    """Which share of the promised gain a second profile of the changed file measures."""
    again, error = profiled(load, folder, budget)
    if again is None:
        return None, str(error)
    # The same load at the same time would be fairer, but the second profile is what a user would do.
    measured, promised = own_rate(again) / own_rate(found), found['advice']['gain']['median']
    return (measured - 1) / (promised - 1), f'{measured:.2f}x measured'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--only', nargs='+', choices=LOADS, default=list(LOADS))
    parser.add_argument('--runs', type=int, default=0, help='of each load; otherwise ten of the first three, and three of the others')
    parser.add_argument('--budget', default='10s')
    parser.add_argument('--apply', action='store_true', help='write the advice into the file, profile again, and compare the gains')
    parser.add_argument('--seed', type=int, default=None)
    parser.add_argument('--verbose', action='store_true')
    options = parser.parse_args()
    random.seed(options.seed)
    print(f'{time.strftime("%Y-%m-%d")}, {CORES} cores, budget {options.budget} each\n')
    print('| load | right | found | advice | gain |\n|---|--:|---|---|---|', flush=True)
    wrong, kept = 0, []
    for name in options.only:
        runs = options.runs or (10 if name in list(LOADS)[:3] else 3)
        right, found_causes, advice, gain, notes = 0, [], '', '', []
        for _ in range(runs):
            load = LOADS[name]()
            if load.skip:
                notes.append(f'skipped: {load.skip}')
                break
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                load.prepare(folder)
                (folder / 'flow.yaml').write_text(load.flow)
                found, error = profiled(load, folder, options.budget, *(['--apply'] if options.apply else []))
                if found is None:
                    notes.append(f'error: {error}')
                    continue
                if options.verbose:
                    print(json.dumps(found, indent=1))
                good, note = load.check(found) if load.check else (True, None)
                right += found['cause'] in load.causes and good
                found_causes.append(found['cause'])
                notes += [note] if note else []
                if found['advice']:
                    change = found['advice']['changes'][0]
                    advice = f"{change['key'] if isinstance(change['key'], str) else change['key']['env']}: {change['to']}"
                    gain = '{median:.2f}x ({low:.2f} to {high:.2f})'.format(**found['advice']['gain'])
                    if options.apply:
                        share, words = held(load, folder, options.budget, found)
                        gain += f'; {words}'
                        kept.append(share is not None and share >= 2 / 3)
        skipped = any(note.startswith('skipped') for note in notes)
        wrong += 0 if skipped else runs - right
        causes = ', '.join(sorted(set(found_causes))) or '-'
        print(f'| {name} | {"-" if skipped else f"{right}/{runs}"} | {causes}{"; " + "; ".join(notes) if notes else ""} | {advice} | {gain} |', flush=True)
    if kept:
        print(f'\n{sum(kept)} of {len(kept)} times the gain was at least two thirds of the promised one')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
