"""Programs that build once and time steps when asked: benchmarks/peer/gpu.py and absorb bench with --resident."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shapes import SHAPES, forms_of

PROGRAM = Path(__file__).resolve().with_name("gpu.py")


class Resident:
    """A program that speaks the protocol of --resident; it builds while others do."""

    def __init__(self, command: list[str], name: str):
        self.name = name
        self.complaints = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill and stop it
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self.complaints, text=True, bufsize=1
        )
        self.about: dict | None = None
        self.error = ""

    def read(self) -> dict | None:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.error = self.complaint()
        return None

    def complaint(self) -> str:
        self.process.wait()
        self.complaints.seek(0)
        lines = [line for line in self.complaints.read().splitlines() if line.strip()]
        return next((line for line in reversed(lines) if "Error" in line or ": " in line), "ended without a word")[:300]

    def ready(self) -> bool:
        """Waits until it is built and warm; False, with `error`, when it fails."""
        self.about = self.about or self.read()
        return self.about is not None

    def time(self, steps: int) -> dict | None:
        return self.ask(str(steps))

    def ask(self, line: str) -> dict | None:
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.error = self.error or self.complaint()
            return None
        return self.read()

    def quit(self) -> None:
        self.process.kill()
        self.process.communicate()


def resident_command(shape: str, arm: str, form: str, mode: str, python: str = sys.executable, extra=()) -> list[str]:
    words = ["--resident", "--shape", shape, "--arm", arm, "--form", form, "--mode", mode]
    return [python, str(PROGRAM), *words, *extra]


@dataclass
class Cell:
    shape: str
    arm: str
    form: str
    mode: str
    result: dict | None = None
    error: str = ""

    @property
    def name(self) -> str:
        return f"{self.shape} {self.arm} {self.form} {self.mode}"


def cells(shapes: list[str], arms: list[str], forms: list[str] | None, modes: list[str], device: str) -> list[Cell]:
    sizes = {name: SHAPES[name] for name in shapes}
    return [
        Cell(shape, arm, form, mode)
        for shape in shapes
        for arm in arms
        for form in forms_of(sizes[shape], arm, device)
        if forms is None or form in forms
        for mode in modes
    ]


def fitting(todo: list[Cell], most: int, memory: float) -> tuple[list[Cell], list[Cell]]:
    """The first cells that may be built at once, one at least, and the rest."""
    count, taken = 0, 0.0
    for cell in todo[:most]:
        taken += SHAPES[cell.shape].gibibytes(cell.arm, cell.form)
        if count and taken > memory:
            break
        count += 1
    return todo[:count], todo[count:]
