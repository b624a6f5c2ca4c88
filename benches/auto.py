"""Does `max_parallel: auto` find the best width? Runs loads with fixed widths and with `auto`, and compares items per second.

Each load has items of 50 ms or less. With a fixed width, a run lasts 6 s, of which the first two don't count. With `auto`, it lasts 25 s, and
only what comes after the first 15 counts: by then the width must have been found. Rounds are interleaved, and the median counts.

    make bench-auto                                # every load
    make bench-auto ARGS='--only waits --rounds 5'

BATCHMILL and BATCHMILL_PYTHON name the program and an interpreter with numpy; the Makefile sets them.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# Not `import profile`: that is a module of the standard library.
spec = importlib.util.spec_from_file_location('loads_of_profile', Path(__file__).with_name('profile.py'))
loads = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loads)

WIDTHS = sorted({1, loads.CORES, 2 * loads.CORES, 4 * loads.CORES, 8 * loads.CORES, 16 * loads.CORES})
FIXED = (2, 6)
AUTO = (15, 25)
# `auto` must reach this share of the best fixed width.
SHARE = 0.9


def computes():
    return loads.python_step('{range: 10000000}', 'total = 0\nfor step in range(100000):\n    total += step\nreturn total', 'max_parallel: WIDTH')


def waits():
    return loads.python_step('{range: 10000000}', 'import time\ntime.sleep(0.02)\nreturn item', 'max_parallel: WIDTH')


def streams():
    setup = 'import numpy\narray = numpy.ones(4_000_000)\nother = numpy.empty_like(array)'
    return loads.python_step('{range: 10000000}', 'numpy.add(array, 1.0, out=other)\nreturn item', 'max_parallel: WIDTH', setup=setup)


def limited():
    limit = loads.Limited(200)
    threading.Thread(target=limit.serve_forever, daemon=True).start()
    return f'''
steps:
  - name: work
    task: http_request
    for_each: {{range: 10000000}}
    max_parallel: WIDTH
    inputs: {{url: "http://127.0.0.1:{limit.server_address[1]}/{{{{ item }}}}"}}
'''


LOADS = {'computes': computes, 'waits': waits, 'streams-memory': streams, 'limited-server': limited}


def rate(flow, width, span):
    """Items per second in this span of seconds of a run, and the width at its end."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'flow.yaml').write_text(flow.replace('WIDTH', str(width)))
        run = [loads.BATCHMILL, 'run', 'flow.yaml', '--progress', 'none', '--python', loads.PYTHON, '--time-limit', f'{span[1] + 1}s', '--grace', '1s']
        subprocess.run(run, cwd=folder, capture_output=True)
        report = [loads.BATCHMILL, 'report', '--format', 'json', '--output', '-']
        ended = subprocess.run(report, cwd=folder, capture_output=True, text=True, check=True)
        step = json.loads(ended.stdout)['steps'][0]
    samples, items, seconds = step['samples'], 0, 0.0
    for at, took, succeeded in zip(samples['at'], samples['took'], samples['succeeded']):
        if at - took >= span[0] and at <= span[1]:
            items, seconds = items + succeeded, seconds + took
    return items / max(seconds, 1e-9), round(samples['busy_slots'][-2]) if len(samples['at']) > 1 else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--only', nargs='+', choices=LOADS, default=list(LOADS))
    parser.add_argument('--rounds', type=int, default=3)
    options = parser.parse_args()
    print(f'{time.strftime("%Y-%m-%d")}, {loads.CORES} cores, medians of {options.rounds} rounds, items/s\n')
    print('| load | ' + ' | '.join(str(width) for width in WIDTHS) + ' | auto | busy | of the best |\n|---|' + '--:|' * (len(WIDTHS) + 3), flush=True)
    missed = 0
    for name in options.only:
        flow = LOADS[name]()
        rates, busy = {width: [] for width in [*WIDTHS, 'auto']}, 0
        for _ in range(options.rounds):
            for width in rates:
                measured, slots = rate(flow, width, AUTO if width == 'auto' else FIXED)
                rates[width].append(measured)
                busy = slots if width == 'auto' else busy
        medians = {width: statistics.median(values) for width, values in rates.items()}
        share = medians['auto'] / max(1e-9, *(medians[width] for width in WIDTHS))
        missed += share < SHARE
        print(f'| {name} | ' + ' | '.join(f'{medians[width]:.0f}' for width in rates) + f' | {busy} | {share:.2f} |', flush=True)
    if missed:
        print(f'\n`auto` is below {SHARE:.0%} of the best width for {missed} of {len(options.only)} loads')
    sys.exit(1 if missed else 0)


if __name__ == '__main__':
    main()
