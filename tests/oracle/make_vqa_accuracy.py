#!/usr/bin/env python3
"""Writes tests/data/vqa_accuracy.json: normal forms and accuracies by the script of the VQA challenge.

    make_vqa_accuracy.py VQA_EVAL OUTPUT

VQA_EVAL is PythonEvaluationTools/vqaEvaluation/vqaEval.py of GT-Vision-Lab/VQA, commit a013f00, which is a
program for Python 2: its print statements are left out here. Texts are drawn at random from words and marks
that its rules treat differently.
"""

import json
import random
import re
import sys

PIECES = (
    "yes no Yes a an the The none zero one two Ten dont don't couldnt've isnt y'allll somebody'd ow'sat cat 2 3.5 1,000 "
    ". .. , ? ! ; : ' / ( ) [ ] { } \" = + \\ _ - > < @ ` $ \u00e9 \u00c9t\u00e9 \u00a0 \t \n"
).split(" ") + ["U.S.A.", "3.", ".5", "a.b", "5,000.00", "2,5", "it's", "3-4", "-1"]


class Answers:
    """Stands for the classes of the challenge that hold annotations and results."""

    def __init__(self, rows):
        self.qa = rows

    def getQuesIds(self):
        return list(self.qa)


def text_of(draw):
    return "".join(draw.choice(PIECES) + draw.choice(("", " ", " ")) for _ in range(draw.randint(1, 5)))


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        program = re.sub(r"^(\s*)print .*$", r"\1pass", source.read(), flags=re.M)
    names = {}
    exec(compile(program, sys.argv[1], "exec"), names)  # a script that the caller has read
    draw = random.Random(17)
    script = names["VQAEval"](Answers({}), Answers({}))
    script.updateProgress = lambda progress: None
    texts = [text_of(draw) for _ in range(150)] + ["." * 40, "a,b 1,2", "I'm", "Im", "YES"]
    texts = [text.replace("\n", " ").replace("\t", " ").strip() for text in texts]
    forms = [[text, script.processDigitArticle(script.processPunctuation(text))] for text in texts]
    rows = []
    for _ in range(60):
        pool = [text_of(draw) for _ in range(draw.choice((1, 2, 3)))] + ["yes", "two"]
        answers = [draw.choice(pool) for _ in range(10)]
        if draw.random() < 0.2:
            answers = [draw.choice(("yes", "Yes", "2 dogs."))] * 10
        rows.append({"answers": answers, "answer_predicted": draw.choice(pool + ["Yes", "2", " yes "])})
    truth = Answers({i: {"answers": [{"answer": text, "answer_id": n} for n, text in enumerate(row["answers"])],
                         "question_type": "what", "answer_type": "other"} for i, row in enumerate(rows)})
    found = Answers({i: {"answer": row["answer_predicted"]} for i, row in enumerate(rows)})
    judged = names["VQAEval"](truth, found, n=12)
    judged.updateProgress = lambda progress: None
    judged.evaluate()
    for i, row in enumerate(rows):
        row["accuracy"] = judged.evalQA[i] / 100
    with open(sys.argv[2], "w", encoding="utf-8") as output:
        json.dump({"source": "GT-Vision-Lab/VQA a013f00", "normal_forms": forms, "rows": rows,
                   "accuracy": judged.accuracy["overall"] / 100}, output, indent=0)
        output.write("\n")


if __name__ == "__main__":
    main()
