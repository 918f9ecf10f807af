"""Steps that run one after another or side by side, each timed, all told in one table at the end.

For bin/test and bin/verify. Nothing beyond Python's own library, since it runs before anything is installed.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target").resolve()
LOGS = TARGET / "proof"
# Variables that choose what is tested.
CHOOSING = ("PHOTOLALA_BOOTSTRAPS", "PHOTOLALA_S3_URL", "PLANTED_FAULT")
NEEDED = {"cargo": "Rust, by rustup", "npm": "Node.js 20 or later", "curl": "curl"}

PASSED, FAILED, EARLIER, NOT_RUN = "passed", "FAILED", "earlier", "not run"


@dataclass
class Result:
    """What came of a step."""

    name: str
    verdict: str = NOT_RUN
    seconds: float = 0.0
    note: str = ""
    # Single tests, where the step counts any.
    passed: int = 0
    failed: int = 0


@dataclass
class Step:
    """Commands that prove one thing, run in order until one fails."""

    name: str
    proves: str
    commands: list
    # Variables beside those of this process.
    variables: dict = field(default_factory=dict)
    # The nextest profiles whose reports hold its tests.
    reports: tuple = ()
    # How long it takes on two cores, where nobody measured it here yet.
    minutes: int = 0
    # Whether it says the same as long as the tree and the tools do.
    remembered: bool = True


def environment(variables=None):
    """The commands' variables: tools of the project's own come first, colours only where somebody looks, and nothing that
    would put other functions, another S3 or a fault under test."""
    kept = {name: value for name, value in os.environ.items() if name not in CHOOSING}
    kept["PATH"] = os.pathsep.join([str(REPOSITORY / ".venv/bin"), os.environ["PATH"]])
    if "CARGO_TARGET_DIR" in kept:
        kept["CARGO_TARGET_DIR"] = str(TARGET)
    if sys.stdout.isatty():
        kept["CARGO_TERM_COLOR"] = "always"
    return {**kept, **(variables or {})}


def missing_tools():
    """What has to be on the machine before anything can be installed."""
    return [f"{tool} ({source})" for tool, source in NEEDED.items() if not shutil.which(tool)]


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit():
    """The commit as a number, from which samples begin; 0 outside a checkout."""
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except OSError:
        return 0
    return int(told.stdout[:8], 16) if told.returncode == 0 else 0


class Running:
    """A step under way, its output in a log; `seen` shows it to the terminal too."""

    def __init__(self, step, seen=True):
        self.step, self.seen = step, seen
        self.started = time.monotonic()
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{step.name.replace(' ', '-')}.log"
        for profile in step.reports:
            report(profile).unlink(missing_ok=True)
        self.process = self.ended = None
        if not seen:
            # One shell, so that the commands follow each other while others run.
            script = "set -e\n" + "\n".join(quoted(command) for command in step.commands)
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen(
                    ["bash", "-c", script], cwd=REPOSITORY, env=environment(step.variables), stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
            self.waiter = threading.Thread(target=self.wait, daemon=True)
            self.waiter.start()

    def wait(self):
        self.process.wait()
        self.ended = time.monotonic()

    def end(self):
        """Runs the commands, or waits for them, and says what came of it."""
        if self.seen:
            status, self.ended = self.follow(), time.monotonic()
        else:
            self.waiter.join()
            status = self.process.returncode
            print(f"\n== {self.step.name}, meanwhile\n{self.log.read_text(errors='replace').rstrip()}", flush=True)
        result = Result(self.step.name, PASSED if status == 0 else FAILED, self.ended - self.started)
        result.passed, result.failed = counts(self.step, self.log)
        return result

    def follow(self):
        with open(self.log, "wb") as log:
            for command in self.step.commands:
                try:
                    process = subprocess.Popen(
                        command, cwd=REPOSITORY, env=environment(self.step.variables), stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                except OSError as fault:
                    print(f"{command[0]}: {fault.strerror}", file=sys.stderr)
                    return 127
                status = self.told(process, log)
                if status != 0:
                    return status
        return 0

    def told(self, process, log):
        try:
            for line in process.stdout:
                log.write(line)
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
            return process.wait()
        except KeyboardInterrupt:
            # It may have been interrupted too, and has things of its own to end.
            process.terminate()
            process.wait()
            raise

    def stop(self):
        """Ends what runs beside, with everything it started."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)


def quoted(command):
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)


def run(step, begun):
    """Runs a step to its end; `begun` is when the whole began."""
    print(f"\n== {step.name} ({time.monotonic() - begun:.0f} s)", flush=True)
    return Running(step).end()


def report(profile):
    # In the workspace's own folder, whatever CARGO_TARGET_DIR says.
    return REPOSITORY / "target/nextest" / profile / "junit.xml"


def counts(step, log):
    """Tests that passed and failed: in nextest's reports, and in what cargo's doc tests and jest said."""
    passed = failed = 0
    for profile in step.reports:
        if report(profile).is_file():
            suites = ElementTree.parse(report(profile)).getroot()
            wrong = int(suites.get("failures", 0)) + int(suites.get("errors", 0))
            passed, failed = passed + int(suites.get("tests", 0)) - wrong, failed + wrong
    text = plain(log)
    for said in re.finditer(r"^test result: \w+\. (\d+) passed; (\d+) failed", text, re.M):
        passed, failed = passed + int(said[1]), failed + int(said[2])
    for said in re.finditer(r"^Tests: +(?:(\d+) failed, )?(?:\d+ skipped, )?(\d+) passed", text, re.M):
        passed, failed = passed + int(said[2]), failed + int(said[1] or 0)
    return passed, failed


def plain(log):
    """What a log says, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace")) if log.is_file() else ""


def sample(log):
    """How many of how many were tried, of a step that may stop early: its line `sample: 12 of 34`."""
    said = re.findall(r"^sample: (\d+) of (\d+)$", plain(log), re.M)
    return (sum(int(tried) for tried, _ in said), sum(int(of) for _, of in said)) if said else None


def span(seconds):
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"


def table(results, begun):
    """The steps with their verdicts and minutes, and the plain count."""
    width = max(len(result.name) for result in results)
    print(f"\n{'step':<{width}}  verdict  min:s  tests")
    for result in results:
        took = span(result.seconds) if result.verdict in (PASSED, FAILED) else ""
        tests = str(result.passed + result.failed) if result.passed + result.failed else ""
        print(f"{result.name:<{width}}  {result.verdict:<7}  {took:>5}  {tests:>5}  {result.note}".rstrip())
    print(f"{'in all':<{width}}  {'':<7}  {span(time.monotonic() - begun):>5}")


def plain_count(results):
    """`N passed, N failed`, of tests; of steps where none counts any. A step that failed without a test counts as one."""
    steps = sum(result.verdict in (PASSED, EARLIER) for result in results)
    passed = sum(result.passed for result in results) or steps
    failed = sum(result.failed or 1 for result in results if result.verdict == FAILED)
    print(f"{passed} passed, {failed} failed")
    return failed == 0
