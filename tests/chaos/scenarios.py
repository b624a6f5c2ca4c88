"""What is killed: workflows, each with a verb that starts it and one that goes on with it.

A task writes down the number of its item, in `ran.STEP`, when it begins. Its result has the number too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# A lost worker or command is one failed attempt; nothing else is to fail more than once.
RETRY = "retry: {max_attempts: 12, delay: 0}"
# The setup of Python tasks, and how a task begins.
SETUP = "setup: 'import time, os; log = os.open(\"ran.work\", os.O_WRONLY | os.O_APPEND | os.O_CREAT)'"
RAN = "os.write(log, f'{item}\\n'.encode()); time.sleep(0.008)"
RAN_RECORD = "os.write(log, f'{item[\"id\"]}\\n'.encode()); time.sleep(0.008)"
RAN_BATCH = "os.write(log, ''.join(f'{x}\\n' for x in item).encode()); time.sleep(0.03)"
RUN = ("run", "workflow.yaml")


def nothing(_: Path) -> None:
    pass


@dataclass(frozen=True)
class Scenario:
    name: str
    workflow: str
    flight: int  # Items that can be under way at a time: running, or done and not yet recorded.
    steps: tuple[str, ...] = ("work",)
    verb: tuple[str, ...] = RUN
    again: tuple[str, ...] = ("resume",)  # Goes on after a kill if there is a run; `verb` otherwise.
    files: Callable[[Path], None] = nothing  # Makes the input.
    before: tuple[tuple[str, ...], ...] = ()  # What ran, undisturbed, before `change`.
    change: Callable[[Path], None] = nothing
    holds: bool = False  # Whether tasks wait as long as the file `hold` is there, so nothing ends by itself.


def batch(items: str, task: str, more: str = "", outputs: str = "") -> str:
    """A workflow of one batch step; `more` are keys of the batch."""
    keys = "".join(f"      {line}\n" for line in [RETRY, *more.splitlines()] if line)
    lines = "".join(f"        {line}\n" for line in task.splitlines())
    end = f"    outputs: {outputs}\n" if outputs else ""
    return (
        "steps:\n  - name: work\n    task: batch\n    inputs:\n"
        f"      items: {items}\n      max_parallel: 2\n{keys}      task:\n{lines}{end}"
    )


def python(code: str, begin: str = RAN) -> str:
    lines = "".join(f"  {line}\n" for line in f"{begin}\n{code}".splitlines())
    return f"type: python\n{SETUP}\ncode: |\n{lines}"


def shell(command: str) -> str:
    return f"type: shell\ncommand: |\n  echo {{{{ item }}}} >> ran.work\n  {command}\n"


def csv_files(folder: Path, days: int = 4) -> None:
    (folder / "in").mkdir(exist_ok=True)
    for day in range(days):
        rows = "".join(f"{number},n{number}\n" for number in range(day * 25, day * 25 + 25))
        (folder / f"in/{day}.csv").write_text(f"id,name\n{rows}")


def one_more_day(folder: Path) -> None:
    csv_files(folder, 7)
    (folder / "mended").touch()


def jsonl_file(folder: Path) -> None:
    (folder / "rows.jsonl").write_text("".join(f'{{"id": {number}, "x": [{number}]}}\n' for number in range(100)))


def text_files(folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(60):
        (folder / f"in/{number:03}").write_text(f"{number} " * 50)


def mend(folder: Path) -> None:
    (folder / "mended").touch()


def hold(folder: Path) -> None:
    (folder / "hold").touch()


ROWS = "return {'id': int(item['id']), 'name': item['name'] * 3}"
OUTPUT_ROWS = "return [{'id': x, 'text': str(x) * 9, 'half': x / 2} for x in item]"
BAD = "if item['id'] % 9 == 4 and not os.path.exists('mended'): raise ValueError(f\"{item['id']} is bad\")\n"
TYPED = "{csv: in/*.csv, types: {id: integer}}"
CONTINUE = "continue_on_error: true"
TWO_TRIES = batch(TYPED, python(BAD + ROWS, RAN_RECORD), CONTINUE, "{path: out/rows.csv}")


def output(name: str, outputs: str) -> Scenario:
    code = python(OUTPUT_ROWS, RAN_BATCH)
    return Scenario(name, batch("{range: 240}", code, "batch_size: 6\nbatched: true", outputs), 36)


LATER = f"""
steps:
  - name: work
    for_each: {{range: 40}}
    task: shell
    max_parallel: 2
    {RETRY}
    inputs: {{command: 'echo {{{{ item }}}} >> ran.work; echo {{{{ item }}}}'}}
    aggregate: {{count: true, max: stdout}}
  - name: more
    for_each: "{{{{ steps.work.result }}}}"
    task: python
    max_parallel: 2
    batch_size: 3
    batched: true
    {RETRY}
    inputs:
      code: "return [{{'id': int(x['stdout']), 'sum': len(item)}} for x in item]"
    outputs: {{path: out/more.jsonl}}
  - name: sum
    task: python
    {RETRY}
    inputs: {{code: "return [r['id'] for r in steps.more.result]"}}
  - name: report
    task: echo
    inputs: {{message: "{{{{ steps.work.aggregate }}}} {{{{ steps.sum.result | length }}}}"}}
    outputs: {{path: out/report.jsonl}}
"""

FRAMES = """type: python
setup: |
  import os, time
  log = os.open('ran.work', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
code: |
  os.write(log, ''.join(f'{x}\\n' for x in item['id']).encode())
  time.sleep(0.05)
  return item.assign(twice=item['id'] * 2)
"""


def frame_rows(folder: Path) -> None:
    (folder / "in").mkdir()
    rows = "".join(f"{number},n{number}\n" for number in range(2400))
    (folder / "in/all.csv").write_text(f"id,name\n{rows}")


AGGREGATE = python("return {'id': item, 'group': item % 3, 'x': item / 7}")
REDUCE = "aggregate: {count: true, sum: [id, x], group_by: group}"
IN_CODE = "aggregate: |\n  import time\n  time.sleep(0.2)\n  return sorted(r['x'] for r in results)"
# Its shell is not to say that a `sleep` was killed.
HOLD_SHELL = "exec 2> /dev/null; if [ $BATCHMILL_INDEX = 7 ]; then while [ -e hold ]; do sleep 0.05; done; fi; echo {{ item }}"
HOLD_PYTHON = """if item == 7:
    import subprocess
    subprocess.run('while [ -e hold ]; do sleep 0.05; done', shell=True)
return {'id': item}"""
FETCH = """type: http_request
url: '{{ env.CHAOS_SERVER }}/{{ item }}'
params: {log: '{{ env.CHAOS_FOLDER }}/ran.work'}
rate_limit: 200/s
"""
COPY = """type: shell
command: |
  set -e
  cat {{ item }} {{ item }} > {{ item_dir }}/a.{{ index }}
  mkdir {{ item_dir }}/d{{ index }}; cat {{ item }} > {{ item_dir }}/d{{ index }}/b
  echo {{ index }} >> ran.work; echo {{ index }}
"""
FLAKY = "if item % 5 == 0 and batch.attempt < 3: raise ValueError('not yet')\nreturn {'id': item}"
NUMBER_ROWS = "{range: 60}"
LATER_STEPS = ("work", "more", "sum", "report")
FULL = ("--durability", "full")

# What an item starts in a session of its own. The item ends it; if the item is killed, nobody but batchmill does. If it is killed
# itself, the shell is not to say so.
AWAY_SHELL = "exec 2> /dev/null; setsid sleep 600 > /dev/null 2>&1 & away=$!; sleep 0.02; kill $away; wait; echo {{ item }}"
AWAY_PYTHON = """
import subprocess
away = subprocess.Popen(['sleep', '600'], start_new_session=True)
time.sleep(0.02)
away.kill()
away.wait()
return {'id': item}
"""

SCENARIOS = [
    Scenario("shell", batch("{range: 60}", shell("echo {{ item }}")), 64),
    Scenario("shell, full", batch("{range: 60}", shell("echo {{ item }}")), 64, verb=(*RUN, *FULL), again=("resume", *FULL)),
    Scenario("shell, hanging", batch("{range: 20}", shell(HOLD_SHELL)), 40, files=hold, holds=True),
    Scenario("shell, getting away", batch("{range: 60}", shell(AWAY_SHELL)), 64),
    Scenario("python", batch("{range: 80}", python("return {'id': item}")), 64),
    Scenario("python, hanging", batch("{range: 20}", python(HOLD_PYTHON)), 40, files=hold, holds=True),
    Scenario("python, getting away", batch("{range: 60}", python(AWAY_PYTHON)), 64),
    Scenario("python, batched", batch("{range: 240}", python(OUTPUT_ROWS, RAN_BATCH), "batch_size: 6\nbatched: true"), 36),
    Scenario("data frames", batch("{csv: in/*.csv, types: {id: integer}}", FRAMES,
             "batch_size: 120\nbatch_format: pandas", "{path: out/frames.parquet}"), 480, files=frame_rows),
    Scenario("http_request", batch("{range: 80}", FETCH), 64),
    Scenario("echo", batch("{range: 4000}", "type: echo\nmessage: 'item {{ item }}'\n"), 4000),
    Scenario("csv rows", batch(TYPED, python(ROWS, RAN_RECORD)), 64, files=csv_files),
    Scenario("jsonl rows", batch("{jsonl: rows.jsonl}", python("return item", RAN_RECORD)), 64, files=jsonl_file),
    Scenario("item files", batch("{glob: in/*}", COPY, "", "{item_files: out/files}"), 64, files=text_files),
    output("output jsonl", "{path: out/rows.jsonl}"),
    output("output csv", "{path: out/rows.csv}"),
    output("output parquet", "{path: out/rows.parquet}"),
    output("output parts", "{path: out/rows, parts: true, format: jsonl}"),
    Scenario("later steps", LATER, 64, steps=LATER_STEPS),
    Scenario("aggregate", batch("{range: 60}", AGGREGATE, REDUCE), 64),
    Scenario("aggregate code", batch("{range: 60}", AGGREGATE, IN_CODE), 64),
    Scenario("retries", batch("{range: 60}", python(FLAKY)), 128),
    Scenario("failures", TWO_TRIES, 400, files=csv_files),
    Scenario("run --incremental", TWO_TRIES, 64, verb=(*RUN, "--incremental"), again=(*RUN, "--incremental"),
             files=csv_files, before=((*RUN, "--incremental"),), change=one_more_day),
    Scenario("incremental, resume", TWO_TRIES, 64, verb=(*RUN, "--incremental"), files=csv_files,
             before=((*RUN, "--incremental"),), change=one_more_day),
    Scenario("retry", TWO_TRIES, 64, verb=("retry",), files=csv_files, before=(RUN,), change=mend),
    Scenario("resume", TWO_TRIES, 64, verb=("resume",), files=csv_files, before=(RUN,), change=one_more_day),
    Scenario("runs clean", batch("{range: 5}", shell("echo {{ item }}")), 0, verb=("runs", "clean", "--keep", "2"),
             again=("runs", "clean", "--keep", "2"), before=(RUN,) * 12),
]
