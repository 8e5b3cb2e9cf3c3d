"""The service, in Python 3.8 or later, with the standard library only.

    python3 server.py --port 1060
"""

import argparse
# BEGIN SOLUTION process
import os
import signal
# END SOLUTION
import socket
import sys
# BEGIN SOLUTION crowd
import threading
# END SOLUTION
import time

QUESTION_END = b"?"
ANSWERS = {
    b"Beautiful is better than?": b"Ugly.",
    b"Explicit is better than?": b"Implicit.",
    b"Simple is better than?": b"Complex.",
}
UNKNOWN = b"Error: unknown aphorism."

# A client can ask with one byte, a lone `?`, and that answer has 24 bytes. So
# the answers to one receive have less than 64 KiB.
RECEIVED_BYTES_MAX = 2560

# BEGIN SOLUTION wire
# Not the default of bytes.lstrip(), which also skips a vertical tab.
WHITE_SPACE = b" \t\n\x0c\r"

# END SOLUTION
# BEGIN SOLUTION limit
TOO_LONG = b"Error: question too long."
QUESTION_BYTES_MAX = 1024

# After a refusal, at most this much is read and thrown away, for at most this
# long.
DISCARDED_BYTES_MAX = 16 * 1024 * 1024
DISCARDED_SECONDS_MAX = 2.0

# END SOLUTION
# BEGIN SOLUTION process
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# The contract allows 2 s.
STOP_SECONDS_MAX = 1.8

# Two signals within this count as one.
AGAIN_SECONDS_MIN = 0.1

# END SOLUTION

def main():
    options = parse_command_line()
    # BEGIN SOLUTION wire
    read_dialect("dialect.txt")
    # END SOLUTION
    try:
        listener = create_srv_socket(options.port)
    except OSError as err:
        sys.exit("cannot listen on 127.0.0.1:{}: {}".format(options.port, err))
    serve(listener, options)


def parse_command_line():
    parser = argparse.ArgumentParser(description="A tiny service.")
    parser.add_argument("-p", "--port", type=int, default=1060)
    parser.add_argument("--think", type=int, default=0, metavar="MILLISECONDS",
                        help="how long an answer takes to work out")
    parser.add_argument("--idle-timeout", type=float, default=0,
                        metavar="SECONDS",
                        help="drop a client that is idle for this long")
    return parser.parse_args()


def create_srv_socket(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # BEGIN SOLUTION process
    # Otherwise connections of the previous server keep the port for a while.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # END SOLUTION
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    return listener


# BEGIN SOLUTION wire
def read_dialect(path):
    """An author tests this solution with other words than the contract's. They
    are the lines of this file, if it exists."""
    global QUESTION_END, QUESTION_BYTES_MAX, ANSWERS, UNKNOWN, TOO_LONG
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        QUESTION_END, end, most, *words = file.read().splitlines()
    QUESTION_BYTES_MAX = int(most)
    *answers, UNKNOWN, TOO_LONG = [word + end for word in words]
    questions = [question[:-1] + QUESTION_END for question in ANSWERS]
    ANSWERS = dict(zip(questions, answers))


# END SOLUTION
def get_answer(question, options):
    if options.think > 0:
        time.sleep(options.think / 1000)
    return ANSWERS.get(question, UNKNOWN)


# BEGIN SOLUTION crowd
def serve(listener, options):
    crowd = Crowd(listener, options)
    while not crowd.is_leaving():
        try:
            sock, _ = listener.accept()
        except OSError:
            # Out of descriptors, or told to stop. Clients that wait stay in
            # the backlog.
            time.sleep(0 if crowd.is_leaving() else 0.1)
        else:
            crowd.serve(sock)
    crowd.wait()
# STARTER: def serve(listener, options):
# STARTER:     while True:
# STARTER:         sock, address = listener.accept()
# STARTER:         # One recv() need not return exactly one question.
# STARTER:         question = sock.recv(RECEIVED_BYTES_MAX)
# STARTER:         sock.sendall(get_answer(question, options))
# STARTER:         sock.close()
# END SOLUTION


# BEGIN SOLUTION process
class Crowd:
    """All clients, each with a thread of its own."""

    def __init__(self, listener, options):
        self.listener = listener
        self.options = options
        self.threads = {}
        self.told_to_stop = None
        for number in STOP_SIGNALS:
            signal.signal(number, self.stop)

    def is_leaving(self):
        return self.told_to_stop is not None

    def serve(self, sock):
        thread = threading.Thread(target=self.converse, args=(sock,))
        # The process can end although this thread's client stays.
        thread.daemon = True
        self.threads[sock] = thread
        try:
            thread.start()
        except RuntimeError:
            # No more threads can be started. Only this client is closed.
            del self.threads[sock]
            sock.close()
        else:
            # If the signal came just now, stop() may have missed this client.
            if self.is_leaving():
                end(sock, socket.SHUT_RD)

    def converse(self, sock):
        # Signals are for the thread that waits in accept().
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            handle_conversation(sock, self.options)
        except OSError:
            pass  # This client failed. The others go on.
        finally:
            # Forget the socket before closing it: then its number may belong
            # to a new client, which stop() must not take for this one.
            del self.threads[sock]
            sock.close()

    def stop(self, number, _):
        """Python calls this in the main thread, between two instructions."""
        now = time.monotonic()
        if self.told_to_stop is None:
            self.told_to_stop = now
            # accept() fails from now on, and every client's recv() returns
            # what has arrived, and then the end of file.
            end(self.listener, socket.SHUT_RDWR)
            for sock in list(self.threads):
                end(sock, socket.SHUT_RD)
        elif now - self.told_to_stop >= AGAIN_SECONDS_MIN:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def wait(self):
        self.listener.close()
        until = self.told_to_stop + STOP_SECONDS_MAX
        for thread in list(self.threads.values()):
            thread.join(max(until - time.monotonic(), 0))
        # Not sys.exit(), which would wait for a lock that a thread holds.
        os._exit(0)


def end(sock, how):
    try:
        sock.shutdown(how)
    except OSError:
        pass  # It is gone already.


# END SOLUTION
# BEGIN SOLUTION ending
class IdleClock:
    """How much longer a client may neither send nor read."""

    def __init__(self, sock, seconds):
        self.sock = sock
        self.seconds = seconds
        self.restart()

    def restart(self):
        self.begun = time.monotonic()

    def limit_next_call(self):
        if self.seconds > 0:
            left = self.begun + self.seconds - time.monotonic()
            # settimeout(0) would make the socket non-blocking.
            self.sock.settimeout(max(left, 0.001))


def handle_conversation(sock, options):
    clock = IdleClock(sock, options.idle_timeout)
    rest = b""
    while rest is not None:
        clock.limit_next_call()
        more = sock.recv(RECEIVED_BYTES_MAX)
        if not more:
            return
        questions, rest = take_questions(rest + more)
        answer_all(sock, questions, options, clock)
    refuse(sock)


def answer_all(sock, questions, options, clock):
    if options.think == 0:
        # Send all answers in one piece.
        questions, answers = [], [get_answer(it, options) for it in questions]
        send(sock, b"".join(answers), clock)
    for question in questions:
        send(sock, get_answer(question, options), clock)


def send(sock, answers, clock):
    if answers:
        clock.restart()
        clock.limit_next_call()
        sock.sendall(answers)
        clock.restart()


# END SOLUTION
# BEGIN SOLUTION wire
def take_questions(stream):
    """Returns the complete questions and the beginning of the next one, or None
    in its place if that or one of the questions is too long."""
    *questions, rest = stream.split(QUESTION_END)
    questions = [it.lstrip(WHITE_SPACE) + QUESTION_END for it in questions]
    for index, question in enumerate(questions):
        if len(question) > QUESTION_BYTES_MAX:
            return questions[:index], None
    rest = rest.lstrip(WHITE_SPACE)
    return questions, rest if len(rest) < QUESTION_BYTES_MAX else None


# END SOLUTION
# BEGIN SOLUTION limit
def refuse(sock):
    """Closes so that the client can read the reason. Closing with unread bytes
    would send a reset, which can destroy the answer on its way."""
    until = time.monotonic() + DISCARDED_SECONDS_MAX
    left = DISCARDED_BYTES_MAX
    sock.settimeout(DISCARDED_SECONDS_MAX)
    sock.sendall(TOO_LONG)
    sock.shutdown(socket.SHUT_WR)
    while left > 0 and time.monotonic() < until:
        sock.settimeout(max(until - time.monotonic(), 0.001))
        left -= len(sock.recv(min(left, 65536))) or left


# END SOLUTION
if __name__ == "__main__":
    main()
