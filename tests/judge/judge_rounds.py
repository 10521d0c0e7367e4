"""lynceus-judge against a server with faults, killed and restarted in between: every question has exactly one reply at
the end, none that had one is asked again, and the key is in no file and no output.

    judge_rounds.py LYNCEUS_JUDGE FAULTS SEED
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import stub_judge  # noqa: E402

PROGRAM, FAULTS, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PARALLEL = 6
TIMEOUT = 0.5
outputs = []


def expect(holds, what):
    if not holds:
        sys.exit(f"expected {what}\n" + "\n".join(outputs[-3:]))


def write_requests(path, questions):
    with open(path, "w", encoding="utf-8") as file:
        for number, question in enumerate(questions):
            body = {"model": "stub", "messages": [{"role": "user", "content": question}], "temperature": 0}
            file.write(json.dumps({"custom_id": f"q{number}", "method": "POST", "url": "/v1/chat/completions",
                                   "body": body}) + "\n")


def start(folder, url, *more, key=stub_judge.KEY):
    command = [PROGRAM, "--url", url, "--requests", str(folder / "in.jsonl"), "--journal", str(folder / "out.jsonl"),
               "--parallel", str(PARALLEL), "--timeout", str(TIMEOUT), "--first-wait", "0.02", "--retries", "12",
               "--key-variable", "STUB_KEY", *more]
    environment = {name: value for name, value in os.environ.items() if "KEY" not in name}
    return subprocess.Popen(command, env=dict(environment, STUB_KEY=key), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def end(process, code, seconds=120):
    text, _ = process.communicate(timeout=seconds)
    outputs.append(text)
    if code is not None:
        expect(process.returncode == code, f"exit code {code}, found {process.returncode}")
    return text


def replies(folder):
    return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]


def check_key(folder):
    for path in folder.rglob("*"):
        expect(stub_judge.KEY.encode() not in path.read_bytes(), f"no key in {path.name}")
    expect(all(stub_judge.KEY not in text for text in outputs), "no key in the output")


def check_replies(folder, questions):
    found = {}
    for reply in replies(folder):
        expect(reply["custom_id"] not in found, f"one reply to {reply['custom_id']}")
        found[reply["custom_id"]] = reply["response"]["body"]["choices"][0]["message"]["content"]
    for number, question in enumerate(questions):
        text = found.pop(f"q{number}", None)
        expect(text is not None and text.lower().startswith("yes") == stub_judge.verdict_of(question),
               f"the reply to question {number}, found {text}")
    expect(not found, f"no other replies, found {found}")


def rounds_with_restarts(folder, questions, signals):
    """Restarts until all is answered; `signals` are sent one after the other at random moments."""
    draw = random.Random(SEED)
    write_requests(folder / "in.jsonl", questions)
    kills = stops = 0
    with stub_judge.Stub(stub_judge.spread_faults(questions, FAULTS, SEED), TIMEOUT) as stub:
        while True:
            process = start(folder, stub.url)
            if signals:
                number = signals.pop(0)
                while not stub.state.requests and process.poll() is None:
                    time.sleep(0.005)
                time.sleep(draw.uniform(0, 0.4))
                command_line = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
                expect(stub_judge.KEY.encode() not in command_line, "no key in the command line")
                process.send_signal(number)
                end(process, None)
                code = process.returncode
                expect(code in (0, 75, -number), f"exit code 75 or the end by a signal, found {code}")
                kills += code == -signal.SIGKILL
                stops += code == 75
                if code == 0:
                    break
                continue
            end(process, 0)
            break
        check_replies(folder, questions)
        state = stub.state
        twice = sum(state.delivered.values()) - len(questions)
        # What a killed process had asked and not yet written may be asked again; nothing else.
        expect(0 <= twice <= kills * PARALLEL, f"at most {kills * PARALLEL} delivered again, found {twice}")
        expect(kills or twice == 0, "nothing asked twice")
        expect(state.most_running <= PARALLEL + kills * PARALLEL, f"{PARALLEL} requests at once")
        expect(sum(state.made.values()) == FAULTS, f"{FAULTS} faults, found {sum(state.made.values())}")
        before = sum(state.requests.values())
        text = end(start(folder, stub.url), 0)
        expect(f"{len(questions)} known, 0 answered now by 0 requests" in text, "all known at a restart")
        expect(sum(state.requests.values()) == before, "no request at a restart")
        if not kills:
            expect(state.most_running <= PARALLEL, f"at most {PARALLEL} at once, found {state.most_running}")
        check_key(folder)
        return dict(faults=FAULTS, questions=len(questions), requests=before, kills=kills, stops=stops,
                    delivered_again=twice)


def check_refusals(folder):
    """A wrong key, a server that refuses one question, a server that is not there, a cut line, a second process."""
    questions = [f"refused {number}" for number in range(8)]
    write_requests(folder / "in.jsonl", questions)
    with stub_judge.Stub() as stub:
        text = end(start(folder, stub.url, key="sk-another-0123456789"), 3)
        expect("status 401" in text and "sk-another" not in text, "the status of a wrong key, without it")
        expect(sum(stub.state.delivered.values()) == 0, "nothing delivered")
        stub.state.refuse = 403
        expect("Incorrect API key provided: [key]" in end(start(folder, stub.url), 3), "the message without the key")
        stub.state.refuse = None
        stub.state.refused[questions[3]] = 400
        text = end(start(folder, stub.url), 0)
        expect("7 answered now by 8 requests, 1 refused" in text, "one refused question")
        expect(sum(reply["response"]["status_code"] == 400 for reply in replies(folder)) == 1, "its line")
        check_key(folder)
        (folder / "out.jsonl").write_text((folder / "out.jsonl").read_text()[:-9])
        stub.state.refused.clear()
        expect("the last line was cut off" in end(start(folder, stub.url), 0), "a warning about the cut line")
        expect(len({reply["custom_id"] for reply in replies(folder)}) == 8, "all replies")
        (folder / "out.jsonl").unlink()
        stub.state.faults = {questions[0]: ["timeout"] * 3}
        first = start(folder, stub.url)
        while not stub.state.made["timeout"]:
            time.sleep(0.01)
        expect("another process writes to this file" in end(start(folder, stub.url), 2), "one process at a time")
        end(first, 0)
        url = stub.url
    (folder / "out.jsonl").unlink()
    text = end(start(folder, url, "--retries", "2"), 4)
    expect("8 questions without a reply: no question was answered during 3 attempts" in text, "a server that is absent")


def main():
    questions = [f'Given the question "{n} \u00e4 \\" \\n", does it?' for n in range(max(40, FAULTS * 2 // 5))]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kind, signals in (("plain", []), ("stopped", [signal.SIGTERM, signal.SIGINT] * 3),
                              ("killed", [signal.SIGKILL] * max(4, FAULTS // 40))):
            place = folder / kind
            place.mkdir()
            begin = time.monotonic()
            figures = rounds_with_restarts(place, questions, list(signals))
            print(json.dumps(dict(round=kind, **figures, seconds=round(time.monotonic() - begin, 1))), flush=True)
        (folder / "refusals").mkdir()
        check_refusals(folder / "refusals")
    print("refusals: as expected")


main()
