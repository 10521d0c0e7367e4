"""Describes the machine: the device (nvidia-smi), the host, and the clocks while a benchmark runs."""

import os
import platform
import statistics
import subprocess
import threading

DEVICE_FIELDS = (
    "name,driver_version,memory.total,memory.used,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,"
    "power.limit,temperature.gpu,compute_cap,ecc.mode.current,mig.mode.current"
)
CLOCK_FIELDS = "clocks.sm,clocks.mem,power.draw,temperature.gpu"


def number_or_text(text):
    """1980 from "1980 MHz"; the text itself if it is not a number."""
    first = text.split(" ")[0] if text else text
    try:
        return float(first) if "." in first else int(first)
    except ValueError:
        return text


def ask(fields):
    """Each field of the first device, or None where there is no device."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0 or not answer.stdout.strip():
        return None
    values = [value.strip() for value in answer.stdout.splitlines()[0].split(",")]
    return dict(zip(fields.split(","), values))


def describe_device():
    """The fields of the device, numbers as numbers except versions; None without a device."""
    found = ask(DEVICE_FIELDS)
    if found is None:
        return None
    texts = ("name", "driver_version", "compute_cap")
    return {key: value if key in texts else number_or_text(value) for key, value in found.items()}


def first_line(command):
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip().splitlines()[0] if answer.stdout.strip() else ""


def describe_host():
    cpu = ""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": pages // 2**20,
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
    }


def describe_torch():
    """The version of PyTorch, "" if it is not installed. The import takes seconds."""
    return first_line(["python3", "-c", "import torch; print(torch.__version__)"])


class Clocks:
    """Samples clocks, power and temperature while it is open: min, median and max of each."""

    def __init__(self, period=0.5):
        self.period = period
        self.samples = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.over.wait(self.period):
            sample = ask(CLOCK_FIELDS)
            if sample is not None:
                self.samples.append({key: number_or_text(value) for key, value in sample.items()})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.over.set()
        self.thread.join(timeout=30)

    def summary(self):
        spread = {}
        for key in CLOCK_FIELDS.split(","):
            values = [s[key] for s in self.samples if isinstance(s.get(key), (int, float))]
            if values:
                spread[key] = {
                    "min": min(values),
                    "median": statistics.median(values),
                    "max": max(values),
                    "samples": len(values),
                }
        return spread
