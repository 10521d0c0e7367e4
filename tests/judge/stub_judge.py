"""A judge on loopback that fails on purpose, for tests.

It speaks the chat completions of the OpenAI API. A question has a list of faults; each request to it takes the next
one, and after the last it is answered. What it delivered is counted for each question.
"""

import collections
import hashlib
import http.server
import json
import random
import socket
import threading
import time

KEY = "sk-stub-0123456789-secret"

FAULTS = ("429", "429_after", "500", "503", "408", "timeout", "broken_json", "empty", "half", "half_chunked", "closed",
          "wrong_choice", "no_choices", "null_content", "html", "error_object", "not_utf8", "large", "echo_key")


def verdict_of(question):
    """Yes or no, a function of the question."""
    return hashlib.sha256(question.encode()).digest()[0] % 3 != 0


def completion(question, text=None, index=0):
    reply = text if text is not None else ("Yes." if verdict_of(question) else "no, it does not")
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "stub-judge-1", "key_seen": KEY,
            "choices": [{"index": index, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}],
            "usage": {"total_tokens": 40}}


class State:
    def __init__(self, faults, timeout):
        self.faults = faults  # question -> list of faults still to come
        self.timeout = timeout  # seconds after which the client gives up
        self.lock = threading.Lock()
        self.requests = collections.Counter()
        self.delivered = collections.Counter()  # complete answers
        self.made = collections.Counter()  # faults
        self.running = self.most_running = 0
        self.refuse = None  # a status for every request
        self.refused = {}  # question -> status, for ever


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def send_json(self, status, value, headers=()):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_POST(self):
        state = self.server.state
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with state.lock:
            state.running += 1
            state.most_running = max(state.most_running, state.running)
        time.sleep(0.005)
        with state.lock:  # before the reply: the client may send the next request as soon as it has it
            state.running -= 1
        try:
            self.answer(state, body)
        except OSError:
            self.close_connection = True

    def answer(self, state, body):
        if self.path != "/v1/chat/completions":
            return self.send_json(404, {"error": {"message": "no such path"}})
        if state.refuse or self.headers.get("Authorization") != f"Bearer {KEY}":
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            return self.send_json(state.refuse or 401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        question = json.loads(body)["messages"][0]["content"]
        with state.lock:
            state.requests[question] += 1
            fault = state.faults[question].pop(0) if state.faults.get(question) else None
            if fault:
                state.made[fault] += 1
        if question in state.refused:
            return self.send_json(state.refused[question], {"error": {"message": f"not this one, {KEY}"}})
        if fault:
            return getattr(self, "fault_" + fault.replace("4", "status_4").replace("50", "status_50"))(state, question)
        # Counted first: a client may end as soon as it has the reply.
        with state.lock:
            state.delivered[question] += 1
        try:
            self.send_json(200, completion(question))
        except OSError:
            with state.lock:
                state.delivered[question] -= 1
            raise

    def fault_status_429(self, state, question):
        self.send_json(429, {"error": {"message": "too many requests"}})

    def fault_status_429_after(self, state, question):
        self.send_json(429, {"error": {"message": "too many requests"}}, [("Retry-After", "1")])

    def fault_status_500(self, state, question):
        self.send_json(500, {"error": {"message": "internal"}})

    def fault_status_503(self, state, question):
        self.send_json(503, b"<html>unavailable</html>")

    def fault_status_408(self, state, question):
        self.send_json(408, b"")

    def fault_timeout(self, state, question):
        time.sleep(1.5 * state.timeout)
        self.close_connection = True

    def fault_broken_json(self, state, question):
        self.send_json(200, json.dumps(completion(question)).encode()[:-7])

    def fault_empty(self, state, question):
        self.send_json(200, b"")

    def fault_half(self, state, question):
        body = json.dumps(completion(question)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2])
        self.wfile.flush()
        self.end_abruptly()

    def fault_half_chunked(self, state, question):
        body = json.dumps(completion(question)).encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        half = body[:len(body) // 2]
        self.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
        self.wfile.flush()
        self.end_abruptly()

    def fault_closed(self, state, question):
        self.end_abruptly()

    def end_abruptly(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def fault_wrong_choice(self, state, question):
        self.send_json(200, completion(question, "Yes", index=7))

    def fault_no_choices(self, state, question):
        self.send_json(200, {"id": "chatcmpl-1", "choices": []})

    def fault_null_content(self, state, question):
        self.send_json(200, {"choices": [{"index": 0, "message": {"content": None}}]})

    def fault_html(self, state, question):
        self.send_json(200, b"<!DOCTYPE html><html>Yes</html>")

    def fault_error_object(self, state, question):
        self.send_json(200, {"error": {"message": "overloaded"}})

    def fault_not_utf8(self, state, question):
        self.send_json(200, json.dumps(completion(question)).encode().replace(b"chatcmpl", b"\xff\xfe"))

    def fault_large(self, state, question):
        self.send_json(200, b"[" + b" " * (5 << 20) + b"]")

    def fault_echo_key(self, state, question):
        self.send_json(500, {"error": {"message": f"internal, with header Bearer {KEY}"}})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # clients are killed


class Stub:
    """The server in threads of this process, as a context: `with Stub(faults) as stub: stub.url`."""

    def __init__(self, faults=None, timeout=0.5):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.state = self.server.state = State(faults or {}, timeout)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def spread_faults(questions, count, seed, most=6):
    """`count` faults over the questions, each kind about equally often, at most `most` for one question."""
    draw = random.Random(seed)
    faults = {question: [] for question in questions}
    for number in range(count):
        question = draw.choice([q for q in questions if len(faults[q]) < most])
        faults[question].append(FAULTS[number % len(FAULTS)])
    for of_question in faults.values():
        draw.shuffle(of_question)
    return faults
