"""`lynceus evaluate openvqa` with a model as the judge: over HTTP, by a batch, by results, with two judges at once.

    judge_evaluate.py LYNCEUS
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import stub_judge  # noqa: E402

LYNCEUS = sys.argv[1]
QUESTIONS = 30
outputs = []


def expect(holds, what):
    if not holds:
        sys.exit(f"expected {what}\n" + "\n".join(outputs[-2:]))


def evaluate(answers, *more, code=0):
    command = [LYNCEUS, "evaluate", "openvqa", "--answers", str(answers), "--format", "json",
               "--items", str(answers.parent / "items.jsonl"), *more]
    environment = dict({name: value for name, value in os.environ.items() if "KEY" not in name},
                       STUB_KEY=stub_judge.KEY)
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=100)
    outputs.append(done.stdout + done.stderr)
    expect(done.returncode == code, f"exit code {code}, found {done.returncode}")
    return json.loads(done.stdout) if code == 0 else done.stderr


def judge_question(row, reference):
    return (f'Given the question "{row["question"]}", does the answer "{row["answer_predicted"]}" imply the answer '
            f'"{reference}"? Answer with Yes or No.')


def is_right(row):
    return any(stub_judge.verdict_of(judge_question(row, reference)) for reference in row["answer"])


def items(folder):
    return [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]


def write_answers(path):
    rows = [dict(dataset="Open_VQA_images", question=f"what is {n} \u00e4?", answer=["cat"] if n % 5 else ["cat", "dog"],
                 index=n, image=f"{n}.jpg", **{"class": "OCR"}, answer_predicted="cat" if n % 3 else f"a cat {n}")
            for n in range(QUESTIONS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def over_http(folder, rows, answers):
    questions = {judge_question(row, reference) for row in rows for reference in row["answer"]}
    right = sum(map(is_right, rows))
    with stub_judge.Stub({question: ["500"] for question in sorted(questions)[:5]}) as stub:
        more = ["--judge", "http", stub.url, "--judge-model", "stub", "--judge-key-variable", "STUB_KEY"]
        scores = evaluate(answers, *more)
        expect(scores["images"]["right"] == right, f"{right} right, found {scores['images']}")
        expect(scores["protocol"]["judge"] == "stub", "the judge in the protocol card")
        expect([item["right"] for item in items(folder)] == [is_right(row) for row in rows], "the verdict of each item")
        expect(stub.state.delivered == {question: 1 for question in questions}, "each question once")
        sent = sum(stub.state.requests.values())
        expect(evaluate(answers, *more)["images"] == scores["images"], "the same scores from the journal")
        expect(sum(stub.state.requests.values()) == sent, "no request for what is known")
        more[1:2] = ["exact", "http"]
        both = evaluate(answers, *more)
        expect(both["other_judges"][0]["judge"] == "stub" and
               both["other_judges"][0]["images"] == scores["images"], "the scores of the second judge")
        kappa = both["agreements"][0]
        exact = [row["answer_predicted"] in row["answer"] for row in rows]
        equal = sum(a == is_right(row) for a, row in zip(exact, rows))
        expect(kappa["items"] == QUESTIONS and kappa["equal"] == equal and kappa["kappa"] is not None, "Cohen's kappa")
        expect(len(items(folder)) == 2 * QUESTIONS, "the items of both judges")
        stub.state.refuse = 401
        text = evaluate(answers, "--judge", "http", stub.url, "--judge-model", "another", code=3)
        expect("status 401" in text and "the judge has given no verdicts" in text, "why there is no verdict")
    for path in folder.rglob("*"):
        expect(stub_judge.KEY.encode() not in path.read_bytes(), f"no key in {path.name}")
    expect(all(stub_judge.KEY not in text for text in outputs), "no key in the output")
    expect(not list(folder.glob("*.requests")), "no file of requests left")
    return scores


def by_batch(folder, rows, answers, scores):
    batch, results = folder / "batch.jsonl", folder / "results.jsonl"
    evaluate(answers, "--judge", "batch", str(batch), "--judge-model", "stub")
    with open(results, "w", encoding="utf-8") as file:
        for line in reversed(batch.read_text(encoding="utf-8").splitlines()):
            request = json.loads(line)
            body = stub_judge.completion(request["body"]["messages"][0]["content"])
            file.write(json.dumps({"custom_id": request["custom_id"], "error": None,
                                   "response": {"status_code": 200, "body": body}}) + "\n")
    found = evaluate(answers, "--judge-results", str(results))
    expect(found["images"] == scores["images"], "the scores of the batch")
    expect(found["protocol"]["judge"] == "stub-judge-1", "the model that answered")
    text = evaluate(answers, "--judge-results", str(results), str(results), code=2)
    expect("expected judges of different names" in text, "one judge once")
    text = evaluate(answers, "--judge", "http", code=2)
    expect("expected a URL after http" in text, "a URL")
    text = evaluate(answers, "--judge", "people", code=2)
    expect("found 'people'" in text, "the name of a judge")


with tempfile.TemporaryDirectory() as name:
    place = pathlib.Path(name)
    answered = write_answers(place / "answers.jsonl")
    by_batch(place, answered, place / "answers.jsonl", over_http(place, answered, place / "answers.jsonl"))
print("as expected")
