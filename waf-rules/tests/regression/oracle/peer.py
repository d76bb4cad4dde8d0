"""Asks libmodsecurity which rules a request matches: the other side of the differential test and of the bench.

Standard input, a JSON object a line. The first: {"rules": [SecLang, ...]}, answered with {"engine": its name and version}.
Each further one is a request with the answer of its service:

    {"method", "target", "protocol", "headers": [[name, value], ...], "body", "status", "response_headers", "response_body"}

and is answered with {"ids": rules that it logged, sorted, "cpu_ns": processor time of the transaction}, and where it has
"log": true, also "data": [[rule, its log data], ...].
In all texts a character stands for one byte. Nothing is kept from one request to the next.

{"values": [text, ...]} is answered with what its libinjection says of each: [[fingerprint or null, harmful markup], ...].
"""

import ctypes
import json
import os
import pathlib
import sys
import time

import libmodsecurity
from libmodsecurity import ModSecurity, RulesSet, Transaction


def load(texts):
    rules = RulesSet()
    for text in texts:
        if rules.load(text) < 0:
            sys.exit(f"libmodsecurity refuses the rules: {rules.get_parser_error()}")
    return rules


def octets(text):
    return text.encode("latin-1")


def pairs(headers):
    return [(octets(name), octets(value)) for name, value in headers]


def inspect(engine, rules, request):
    """One transaction through all phases, timed without the conversion of its texts and of its matches."""
    target, method = octets(request["target"]), octets(request["method"])
    version = octets(request["protocol"].removeprefix("HTTP/"))
    headers, body = pairs(request["headers"]), octets(request["body"])
    answer_headers, answer_body = pairs(request["response_headers"]), octets(request["response_body"])
    status, protocol = request["status"], "HTTP/1.1"
    began = time.thread_time_ns()
    transaction = Transaction(engine, rules)
    transaction.process_connection("192.0.2.7", 40000, "192.0.2.1", 80)
    transaction.process_uri(target, method, version)
    for name, value in headers:
        transaction.add_request_header(name, value)
    transaction.process_request_headers()
    if body:
        transaction.append_request_body(body)
    transaction.process_request_body()
    for name, value in answer_headers:
        transaction.add_response_header(name, value)
    transaction.process_response_headers(status, protocol)
    if answer_body:
        transaction.append_response_body(answer_body)
    transaction.process_response_body()
    transaction.process_logging()
    cpu_ns = time.thread_time_ns() - began
    messages = transaction.get_rule_messages()
    answer = {"ids": sorted({message.rule_id for message in messages})}
    if request.get("log"):
        answer["data"] = [[message.rule_id, message.data] for message in messages]
    began = time.thread_time_ns()
    del transaction
    answer["cpu_ns"] = cpu_ns + time.thread_time_ns() - began
    return answer


def libinjection():
    """The library that the package brings exports libinjection's functions too."""
    folder = pathlib.Path(libmodsecurity.__file__).parents[1] / "libmodsecurity.libs"
    return ctypes.CDLL(next(map(str, folder.glob("libmodsecurity-*.so*"))))


def verdict(library, value):
    fingerprint, length = ctypes.create_string_buffer(8), ctypes.c_size_t(len(value))
    attack = library.libinjection_sqli(value, length, fingerprint) == 1
    return [fingerprint.value.decode() if attack else None, library.libinjection_xss(value, length) == 1]


def keep_xml_quiet():
    """libxml2 writes what it thinks of a body to standard error; what Python has to say still gets there."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main():
    keep_xml_quiet()
    engine = ModSecurity()
    # Without one it writes each match to standard error.
    engine.set_log_callback(lambda _: None)
    rules = load(json.loads(sys.stdin.readline())["rules"])
    print(json.dumps({"engine": engine.who_am_i()}), flush=True)
    library = libinjection()
    for line in sys.stdin:
        question = json.loads(line)
        if "values" in question:
            answer = [verdict(library, octets(value)) for value in question["values"]]
        else:
            answer = inspect(engine, rules, question)
        print(json.dumps(answer), flush=True)
    # Its registry of callbacks outlives the engine otherwise.
    engine.set_log_callback(None)


if __name__ == "__main__":
    main()
