"""The operations that `scale.py` measures: how each is prepared for a number of items, and the command that is measured."""

import json
import math
import shutil
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable

MEGABYTE = 1_000_000
RUN = ["run", "f.yaml", "--progress", "none"]


@dataclass(frozen=True)
class Operation:
    name: str
    what: str
    unit: str
    sizes: "tuple[int, int, int]"
    make: "Callable"  # Of a place and a number of items; gives the arguments of the command to measure.
    codes: "tuple[int, ...]" = (0,)
    large: int = 0  # Bytes of an item, if that is much.
    keeps: int = 0  # Bytes per item that it must keep, such as the groups of an aggregate.
    head: bool = False  # Whether only the first line is read.
    once: bool = False  # Whether it changes what it works on, so that it cannot be measured again.
    least: int = 1  # The size that stands for its fixed cost.


ALL: "list[Operation]" = []


def operation(what: str, unit: str, sizes: "tuple[int, int, int]", **more):
    def add(make):
        ALL.append(Operation(make.__name__.replace("_", "-"), what, unit, sizes, make, **more))
        return make

    return add


def workflow(place, *steps, **keys) -> None:
    """JSON is YAML."""
    place.write("f.yaml", json.dumps({"name": "f", **keys, "steps": list(steps)}, indent=1))


def batch(items, task, name="s", outputs=None, **inputs) -> dict:
    step = {"name": name, "task": "batch", "inputs": {"items": items, "task": task, **inputs}}
    return {**step, "outputs": outputs} if outputs else step


def python(code: str, **inputs) -> dict:
    return {"type": "python", "inputs": {"code": code, **inputs}}


def echo(message="{{ item }}") -> dict:
    return {"type": "echo", "message": message}


def rows(place, count: int, value="{}") -> dict:
    place.write("rows.csv", "a,b\n" + "".join(value.format(at) + ",x\n" for at in range(count)))
    return {"csv": "rows.csv"}


def lines(place, count: int, order=1) -> dict:
    """Numbers in rising or, with -1, in falling order."""
    place.write("lines.txt", "".join(f"line number {at:012}\n" for at in range(count)[::order]))
    return {"lines": "lines.txt"}


def files(place, count: int, text: str) -> None:
    (place.folder / "in").mkdir()
    for at in range(count):
        (place.folder / f"in/{at:06}.csv").write_text(text.format(at))


BATCH = 3_000  # Bytes that an item of one huge batch needs: the item, and why it failed, until the batch is recorded.
FAILS = "raise ValueError(f'no {item}')"
MENDED = "import os\nif {} and not os.path.exists('mended'):\n    {}\nreturn 'result number %012d' % item"


# What failed


@operation("one batch in which all items fail", "item", (3_000, 10_000, 30_000), codes=(1,), keeps=BATCH)
def batch_fails(place, n):
    workflow(place, batch({"range": n}, python(FAILS), batch_size=n, continue_on_error=True))
    return RUN


@operation("the same with `--progress json`", "item", (3_000, 10_000, 30_000), codes=(1,), keeps=BATCH)
def batch_fails_json(place, n):
    workflow(place, batch({"range": n}, python(FAILS), batch_size=n, continue_on_error=True))
    return ["run", "f.yaml", "--progress", "json"]


FAILED = 500  # Bytes of a failed item that a run holds, up to 64 MiB, in case the user wants to run it again meanwhile.


@operation("items that fail, in batches of 1", "item", (3_000, 10_000, 30_000), codes=(1,), keeps=FAILED)
def items_fail(place, n):
    workflow(place, batch({"range": n}, python(FAILS), continue_on_error=True))
    return RUN


@operation("items that fail once, in batches of 1", "item", (1_000, 3_000, 10_000))
def items_retried(place, n):
    code = "if batch.attempt == 1:\n    raise ValueError(item)\nreturn item"
    workflow(place, batch({"range": n}, python(code), retry={"max_attempts": 2, "delay": 0}))
    return RUN


@operation("equal items that fail twice", "item", (1_000, 3_000, 10_000), codes=(1,), keeps=FAILED)
def equal_items_retried(place, n):
    place.write("lines.txt", "a\n" * n)
    retry = {"max_attempts": 2, "delay": 0}
    workflow(place, batch({"lines": "lines.txt"}, python(FAILS), retry=retry, continue_on_error=True))
    return RUN


@operation("one batch of CSV rows that are all bad", "row", (10_000, 30_000, 100_000), codes=(1,), keeps=BATCH)
def bad_rows(place, n):
    items = {**rows(place, n, "x{}"), "types": {"a": "integer"}}
    workflow(place, batch(items, python("return item['a']"), batch_size=n, continue_on_error=True))
    return RUN


@operation("one batch of CSV rows, a tenth of which fails once", "row", (10_000, 30_000, 100_000), keeps=BATCH)
def rows_retried(place, n):
    code = "if batch.attempt == 1 and int(item['a']) % 10 == 0:\n    raise ValueError(item)\nreturn 1"
    workflow(place, batch(rows(place, n), python(code), batch_size=n, retry={"max_attempts": 2, "delay": 0}))
    return RUN


@operation("`bisect_on_error` of one batch of CSV rows, one of which is bad", "row", (10_000, 30_000, 100_000), codes=(1,), keeps=BATCH)
def bisect(place, n):
    code = "if any(row['a'] == bad for row in item):\n    raise ValueError('bad')\nreturn len(item)"
    task = python(code, bad=str(n // 2))
    workflow(place, batch(rows(place, n), task, batch_size=n, batched=True, bisect_on_error=True, continue_on_error=True))
    return RUN


@operation("a batch of CSV rows that fails as a whole", "row", (10_000, 30_000, 100_000), codes=(1,), keeps=BATCH)
def batched_fails(place, n):
    task = python("raise ValueError('no such table')")
    workflow(place, batch(rows(place, n), task, batch_size=n, batched=True, continue_on_error=True))
    return RUN


def failed(place, n, code=FAILS):
    workflow(place, batch({"range": n}, python(code), batch_size=1000, continue_on_error=True))
    place.batchmill(*RUN, codes=(1,))


@operation("`failures --group` of messages that all differ", "failure", (3_000, 10_000, 30_000))
def failures_group(place, n):
    failed(place, n, "raise ValueError(''.join(chr(103 + int(digit)) for digit in str(item)))")
    return ["failures", "--group"]


@operation("`failures \\| head -1`", "failure", (3_000, 10_000, 30_000), head=True, codes=(0, -13))
def failures_head(place, n):
    failed(place, n)
    return ["failures"]


@operation("`failures --format json`", "failure", (3_000, 10_000, 30_000))
def failures_json(place, n):
    failed(place, n)
    return ["failures", "--format", "json"]


@operation("`retry --only` of each failed item", "item", (1_000, 3_000, 10_000), codes=(1,), once=True, keeps=1_500)
def retry_only(place, n):
    failed(place, n)
    return ["retry", "latest", "--progress", "none", *(f"--only={at}" for at in range(n))]


def large_failed(place, n):
    place.write("large.jsonl", "".join(json.dumps({"at": at, "text": "x" * MEGABYTE}) + "\n" for at in range(n)))
    workflow(place, batch({"jsonl": "large.jsonl"}, python("raise ValueError(item['at'])"), continue_on_error=True))
    place.batchmill(*RUN, codes=(1,))


@operation("`repro` of one of the failed items of 1 MB", "item", (10, 30, 100), codes=(1,))
def repro_large(place, n):
    large_failed(place, n)
    return ["repro", "latest", "0"]


@operation("`failures` of items of 1 MB", "item", (10, 30, 100))
def failures_large(place, n):
    large_failed(place, n)
    return ["failures"]


@operation("`failures --format json` of items of 1 MB", "item", (10, 30, 100))
def failures_large_json(place, n):
    large_failed(place, n)
    return ["failures", "--format", "json"]


# Steps


def steps_of(n, message="x"):
    messages = (message.format(before=f"s{at - 1}") if at else "x" for at in range(n))
    return [{"name": f"s{at}", "task": "echo", "inputs": {"message": text}} for at, text in enumerate(messages)]


CHAIN = "{{{{ steps.{before}.result }}}}"
STEP = 40_000  # Bytes that a step needs: its text, its templates, its connections.


@operation("steps of one item", "step", (100, 300, 1_000), keeps=STEP)
def steps(place, n):
    workflow(place, *steps_of(n))
    return RUN


@operation("steps that each read the one before", "step", (100, 300, 1_000), keeps=STEP)
def steps_chained(place, n):
    workflow(place, *steps_of(n, CHAIN))
    return RUN


@operation("`validate` of steps that each read the one before", "step", (300, 1_000, 3_000), keeps=STEP)
def steps_validated(place, n):
    workflow(place, *steps_of(n, CHAIN))
    return ["validate", "f.yaml"]


@operation("`resume` of steps that are done", "step", (100, 300, 1_000), keeps=STEP)
def steps_resumed(place, n):
    workflow(place, *steps_of(n, CHAIN))
    place.batchmill(*RUN)
    return ["resume", "latest", "--progress", "none"]


@operation("`plan --resume` of steps that are done", "step", (100, 300, 1_000), keeps=STEP)
def steps_planned(place, n):
    workflow(place, *steps_of(n, CHAIN))
    place.batchmill(*RUN)
    return ["plan", "f.yaml", "--resume"]


@operation("plain Python steps", "step", (5, 15, 50), keeps=STEP)
def steps_python(place, n):
    workflow(place, *({"name": f"s{at}", "task": "python", "inputs": {"code": "return 1"}} for at in range(n)))
    return RUN


@operation("`{{ params.x }}` of 10,000 items beside other parameters", "parameter", (100, 300, 1_000), keeps=STEP)
def params(place, n):
    others = {f"p{at}": {"default": at} for at in range(n)}
    workflow(place, batch({"range": 10_000}, echo("{{ params.p0 }}"), batch_size=100), params=others)
    return RUN


@operation("a secret of several lines, 1,000 items that print 1 KB", "line", (30, 100, 300), keeps=STEP)
def secret_lines(place, n):
    secret = "\n".join(f"secret line {at:06} of the key" for at in range(n))
    task = python("print('y' * 1000)")
    workflow(place, batch({"range": 1000}, task, batch_size=100), env={"KEY": secret}, secrets=["KEY"])
    return RUN


# Results


def retried(place, n, outputs=None):
    code = MENDED.format("item % 2", "raise ValueError(item)")
    workflow(place, batch({"range": n}, python(code), batch_size=1000, continue_on_error=True, outputs=outputs))
    place.batchmill(*RUN, codes=(0, 1))
    place.write("mended", "")


@operation("`retry` of half of the items, with an output file", "item", (10_000, 30_000, 100_000), once=True, keeps=80)
def retry_output(place, n):
    retried(place, n, {"path": "out.jsonl"})
    return ["retry", "latest", "--progress", "none"]


@operation("`results` after half of the items were retried", "item", (30_000, 100_000, 300_000))
def results_retried(place, n):
    retried(place, n)
    place.batchmill("retry", "latest", "--progress", "none")
    return ["results"]


@operation("`results` after the items were reordered", "item", (30_000, 100_000, 300_000))
def results_reordered(place, n):
    workflow(place, batch(lines(place, n), echo(), batch_size=100))
    place.batchmill(*RUN)
    lines(place, n, -1)
    place.batchmill("resume", "latest", "--progress", "none")
    return ["results"]


def row_per_item(place, n):
    workflow(place, batch({"range": n}, echo(), queue_size=4))
    return RUN


@operation("a ledger row per item", "item", (30_000, 100_000, 300_000))
def rows_per_item(place, n):
    return row_per_item(place, n)


@operation("`results \\| head -1` with a row per item", "item", (10_000, 30_000, 100_000), head=True, codes=(0, -13))
def results_head(place, n):
    place.batchmill(*row_per_item(place, n))
    return ["results"]


@operation("`audit` with a row per item", "item", (10_000, 30_000, 100_000))
def audit(place, n):
    place.batchmill(*row_per_item(place, n))
    return ["audit"]


@operation("Python results of 1 MB in batches of 100", "item", (200, 400, 800), large=MEGABYTE)
def large_results(place, n):
    workflow(place, batch({"range": n}, python(f"return 'x' * {MEGABYTE}"), batch_size=100, max_parallel=2))
    return RUN


@operation("commands that print 1 MB, 16 workers", "item", (100, 200, 400), large=MEGABYTE)
def large_prints(place, n):
    command = "head -c 1000000 /dev/zero | tr '\\0' x"
    workflow(place, batch({"range": n}, {"type": "shell", "command": command}, max_parallel=16))
    return RUN


class Megabyte(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = b"x" * MEGABYTE

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@operation("HTTP bodies of 1 MB, 16 workers", "item", (100, 200, 400), large=MEGABYTE)
def large_bodies(place, n):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Megabyte)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{{{{ item }}}}"
    workflow(place, batch({"range": n}, {"type": "http_request", "url": url}, max_parallel=16))
    return RUN


@operation("CSV output in which each row has a column of its own", "cell", (90_000, 1_000_000, 9_000_000))
def csv_columns(place, n):
    code = "return {f'c{item}': item}"
    workflow(place, batch({"range": math.isqrt(n)}, python(code), batch_size=100, outputs={"path": "out.csv"}))
    return RUN


@operation("Parquet output of 100 rows with many columns", "cell", (10_000, 30_000, 100_000), keeps=120)
def parquet_columns(place, n):
    task = python("return {f'c{at}': at for at in range(columns)}", columns=max(1, n // 100))
    workflow(place, batch({"range": 100}, task, batch_size=100, outputs={"path": "out.parquet"}))
    return RUN


@operation("an aggregate by groups of one item", "group", (10_000, 30_000, 100_000), keeps=350)
def aggregate_groups(place, n):
    task = python("return {'group': item, 'value': 1}")
    workflow(place, batch({"range": n}, task, batch_size=1000, aggregate={"sum": "value", "group_by": "group"}))
    return RUN


@operation("`{{ xs \\| length }}` of earlier results", "item", (30_000, 100_000, 300_000))
def results_length(place, n):
    later = {"name": "later", "task": "echo", "inputs": {"message": "{{ xs | length }}"}}
    workflow(place, batch({"range": n}, echo(), batch_size=1000, outputs="xs"), later)
    return RUN


@operation("`items: {{ xs \\| list }}`", "item", (30_000, 100_000, 300_000))
def results_list(place, n):
    later = batch("{{ xs | list }}", echo("1"), name="later", batch_size=1000)
    workflow(place, batch({"range": n}, echo(), batch_size=1000, outputs="xs"), later)
    return RUN


@operation("files that items make", "item", (300, 1_000, 3_000), once=True, keeps=600)
def item_files(place, n):
    code = "import pathlib\npathlib.Path(item_dir, f'{item}.txt').write_text('x')"
    workflow(place, batch({"range": n}, python(code), batch_size=100))
    return RUN


# Sources


@operation("`$(command)` as the source", "line", (30_000, 100_000, 300_000))
def command(place, n):
    workflow(place, batch({"command": f"seq {n}"}, echo(), batch_size=1000))
    return RUN


KEY = 16  # Bytes of the key of an item that is done, with which a resume compares the items that it reads.


@operation("`resume` of lines that are done", "line", (30_000, 100_000, 300_000), keeps=KEY)
def resume_lines(place, n):
    workflow(place, batch(lines(place, n), echo("1"), batch_size=1000))
    place.batchmill(*RUN)
    return ["resume", "latest", "--progress", "none"]


@operation("`run --incremental` of lines that are done", "line", (30_000, 100_000, 300_000), keeps=KEY)
def incremental_lines(place, n):
    workflow(place, batch(lines(place, n), echo("1"), batch_size=1000))
    place.batchmill(*RUN, "--incremental")
    return [*RUN, "--incremental"]


@operation("`resume` after the engine was killed half way", "item", (100_000, 300_000, 1_000_000), once=True, least=10)
def resume_killed(place, n):
    code = MENDED.format(f"item == {n // 2}", "import signal\n    os.kill(os.getppid(), signal.SIGKILL)")
    workflow(place, batch({"range": n}, python(code), batch_size=1000, max_parallel=2))
    place.batchmill(*RUN, codes=(-9,))
    place.write("mended", "")
    return ["resume", "latest", "--progress", "none"]


@operation("a quote of a CSV file that is never closed", "row", (300_000, 1_000_000, 3_000_000), codes=(0, 1, 2, 3))
def open_quote(place, n):
    items = rows(place, n)
    text = (place.folder / "rows.csv").read_text()
    place.write("rows.csv", text.replace("0,x", '"0,x', 1))
    workflow(place, batch(items, python("return 1"), batch_size=1000))
    return RUN


@operation("`glob`", "file", (3_000, 10_000, 30_000))
def glob(place, n):
    files(place, n, "{}")
    workflow(place, batch({"glob": "in/*.csv"}, echo(), batch_size=1000))
    return RUN


@operation("`run --incremental=content` of small files, the first time", "file", (1_000, 3_000, 10_000))
def content(place, n):
    files(place, n, "{}")
    workflow(place, batch({"glob": "in/*.csv"}, echo(), batch_size=1000))
    return [*RUN, "--incremental=content"]


@operation("`inspect` of 100 files with many columns", "column", (300, 1_000, 3_000), keeps=30_000)
def inspect_columns(place, n):
    names = ",".join(f"c{at}" for at in range(n))
    files(place, 100, f"{names}\n{','.join('1' * n)}\n")
    return ["inspect", "in/*.csv"]


@operation("`inspect` of tiny files", "file", (300, 1_000, 3_000), keeps=1_000)
def inspect_files(place, n):
    files(place, n, "a,b\n1,{}\n")
    return ["inspect", "in/*.csv"]


# Runs


def many_runs(place, n):
    workflow(place, batch({"range": 3}, echo()))
    place.batchmill(*RUN)
    first = next((place.folder / ".batchmill/runs").iterdir())
    for at in range(1, n):
        shutil.copytree(first, first.with_name(f"20260101-{at:09}-f-{at % 36**4:04}"))


@operation("`runs`", "run", (100, 300, 1_000), keeps=1_000)
def runs(place, n):
    many_runs(place, n)
    return ["runs"]


@operation("`runs clean`", "run", (100, 300, 1_000), once=True, keeps=1_000)
def runs_clean(place, n):
    many_runs(place, n)
    return ["runs", "clean", "--keep", "1"]
