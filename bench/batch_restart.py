"""A large batch on the local stack, which is killed in the middle and started again.

`python -m bench.batch_restart [LINES] [CONCURRENCY]`. A tenth of the answers of the OpenAI emulator are
faults. It prints throughput and memory, and whether results are complete, in order, and each input ran once.
Everything runs on loopback, in processes that end with the command.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from local.config import ROOT
from local.openai_emulator import Emulator, Say, scripted_model
from local.openai_emulator.conversation import Conversation, Step
from upcall.domain.batch import TERMINAL_BATCH_STATUSES

FAULT_RATE = 0.1
MODEL_SECONDS = 0.2
API_PORT, AWS_PORT = 8791, 8792
PROMPT = "Answer question {}."
POLL_SECONDS = 5.0


def main(lines: int = 1000, concurrency: int = 50) -> int:
    """Run it. Returns the exit code."""
    with tempfile.TemporaryDirectory() as folder, _emulator() as (url, count_turns):
        file = Path(folder) / "inputs.jsonl"
        file.write_text("".join(f"{json.dumps(PROMPT.format(n))}\n" for n in range(1, lines + 1)), "utf-8")
        environment = {
            **os.environ,
            "UPCALL_STATE_FOLDER": str(Path(folder) / "state"),
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "none",
        }
        submit = ["batch", "submit", str(file), "--key", "bench", "--concurrency", str(concurrency)]
        start = time.monotonic()
        with _local_stack(environment) as stack:
            batch_id = _upcall(environment, *submit, "--no-watch").split()[0]
            _watch(environment, batch_id, stack.pid, start, until=lines // 2)
            stack.send_signal(signal.SIGKILL)
            stack.wait()
            _print(start, "killed")
        with _local_stack(environment) as stack:
            _watch(environment, batch_id, stack.pid, start)
            seconds = time.monotonic() - start
            again = _upcall(environment, *submit, "--no-watch").split()[0]
            results = [
                json.loads(line) for line in _upcall(environment, "batch", "results", batch_id).splitlines()
            ]
        turns = count_turns()
    return _report(lines, seconds, again == batch_id, results, turns)


def _report(lines: int, seconds: float, same: bool, results: list[Any], turns: Counter[str]) -> int:
    numbers = [result["line"] for result in results]
    statuses = Counter(result["status"] for result in results)
    right = sum(
        result.get("message") == f"You asked: {PROMPT.format(result['line'])}"
        for result in results
        if result["status"] == "completed"
    )
    several = sum(number > 1 for number in turns.values())
    report = (
        f"{lines} lines in {seconds:.0f} s: {60 * lines / seconds:.0f} a minute",
        f"the same batch when it is sent again: {same}",
        f"results: {len(results)}, in order: {numbers == list(range(1, lines + 1))}, {dict(statuses)}",
        f"runs: {len({result['run_id'] for result in results})}, with the right answer: {right}",
        f"turns of the model: {sum(turns.values())}; lines with more than one: {several}",
    )
    print("\n".join(report))  # noqa: T201
    return 0 if same and numbers == list(range(1, lines + 1)) and right == statuses["completed"] else 1


def _watch(
    environment: dict[str, str], batch_id: str, pid: int, start: float, until: int | None = None
) -> None:
    """Print how far the batch is, until so many lines have ended, or the batch has."""
    shown = 0
    while True:
        batch = json.loads(_upcall(environment, "batch", "show", batch_id, "--json"))
        counts = batch["counts"]
        ended = counts["completed"] + counts["failed"] + counts["cancelled"]
        if ended - shown >= max((batch.get("lines") or 0) // 10, 1) or batch["status"] == "completed":
            _print(start, f"{batch['status']}: {ended} of {batch.get('lines')}, {_megabytes(pid)} MB")
            shown = ended
        if batch["status"] in TERMINAL_BATCH_STATUSES or (until is not None and ended >= until):
            return
        time.sleep(POLL_SECONDS)


def _print(start: float, text: str) -> None:
    print(f"{time.monotonic() - start:6.0f} s  {text}", flush=True)  # noqa: T201


def _megabytes(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) // 1024


def _upcall(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


@contextmanager
def _local_stack(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "local",
        "--api-port",
        str(API_PORT),
        "--aws-port",
        str(AWS_PORT),
    ]
    running = Path(environment["UPCALL_STATE_FOLDER"]) / "running.json"
    running.unlink(missing_ok=True)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            while not running.exists() and process.poll() is None:
                time.sleep(0.2)
            yield process
        finally:
            process.terminate()


@contextmanager
def _emulator() -> Iterator[tuple[str, Any]]:
    """An emulator in a process of its own, as a server of OpenAI would go on. Counts turns by prompt."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    url = ours.recv()

    def count_turns() -> Counter[str]:
        ours.send("count")
        counted: Counter[str] = ours.recv()
        return counted

    try:
        yield url, count_turns
    finally:
        process.terminate()
        process.join()


def _serve(connection: Connection) -> None:
    turns: Counter[str] = Counter()

    def answer(conversation: Conversation) -> Step:
        turns[conversation.prompt] += 1
        return Say(f"You asked: {conversation.prompt}")

    scripted_model.offline_model = answer  # type: ignore[attr-defined]
    emulator = Emulator(model_seconds=MODEL_SECONDS, fault_rate=FAULT_RATE)
    connection.send(emulator.base_url)
    connection.recv()
    connection.send(turns)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
