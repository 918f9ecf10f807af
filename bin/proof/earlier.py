"""What passed before, for exactly this tree and these versions of the tools: there is nothing new to learn of it."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile

from proof.steps import LOGS, REPOSITORY, environment

BOOK = LOGS / "earlier.json"
TOOLS = [["rustc", "-vV"], ["cargo", "--version"], ["node", "--version"], ["npm", "--version"], ["python3", "--version"],
         ["cc", "--version"]]


def state():
    """One digest of every file that git would keep and of the tools' versions. Packages that the scripts install have
    their versions in the tree. None outside a checkout: then nothing is known to be as it was."""
    tree = tree_of_files()
    if tree is None:
        return None
    told = [version(tool) for tool in TOOLS]
    return hashlib.sha256(b"\0".join([tree.encode(), *told])).hexdigest()


def version(tool):
    try:
        return subprocess.run(tool, cwd=REPOSITORY, capture_output=True, env=environment(), check=False).stdout
    except OSError:
        return b"none"


def tree_of_files():
    """Git's own digest of the working tree, uncommitted and untracked files included, by an index of its own."""
    if not (REPOSITORY / ".git").exists() or not shutil.which("git"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "GIT_INDEX_FILE": os.path.join(folder, "index")}
        for command in (["git", "read-tree", "HEAD"], ["git", "add", "--all"], ["git", "write-tree"]):
            told = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
            if told.returncode != 0:
                return None
        return told.stdout.strip()


def book():
    try:
        return json.loads(BOOK.read_text())
    except (OSError, ValueError):
        return {}


def passed_before(name, now):
    """What is written down of the step if it passed in this state; None if it did not."""
    entry = book().get(name, {})
    return entry if now is not None and entry.get("state") == now else None


def note(result, now):
    """Writes down that a step passed, whole, in this state; and how long it takes here."""
    entries = book()
    entries[result.name] = {"state": now, "seconds": round(result.seconds), "passed": result.passed}
    BOOK.parent.mkdir(parents=True, exist_ok=True)
    BOOK.write_text(json.dumps(entries, indent=1) + "\n")


def took_here(name):
    return book().get(name, {}).get("seconds")
