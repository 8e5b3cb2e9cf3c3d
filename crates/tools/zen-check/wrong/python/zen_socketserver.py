#!/usr/bin/env python3
# The Zen of Python server, a thread a client: python3 zen_socketserver.py PORT

import socketserver
import sys

ANSWERS = {
    b'Beautiful is better than?': b'Ugly.',
    b'Explicit is better than?': b'Implicit.',
    b'Simple is better than?': b'Complex.',
}
QUESTION_MAX = 1024


class ZenHandler(socketserver.BaseRequestHandler):
    """One conversation, in a thread of its own."""

    def handle(self):
        print('Accepted connection from', self.client_address, flush=True)
        received = b''
        while True:
            more = self.request.recv(4096)
            if not more:
                break
            received += more
            while b'?' in received:
                question, _, received = received.partition(b'?')
                self.answer(question.strip() + b'?')
            if len(received) > QUESTION_MAX:
                self.request.sendall(b'Error: question too long.')
                return
        if received.strip():
            print('Client', self.client_address, 'left after', received)

    def answer(self, question):
        answer = ANSWERS.get(question, b'Error: unknown aphorism.')
        self.request.sendall(answer)

    def finish(self):
        print('Closed connection to', self.client_address, flush=True)


class ZenServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    pass


def main(port):
    with ZenServer(('127.0.0.1', port), ZenHandler) as server:
        print('Listening at {}:{}'.format(*server.server_address), flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print('Shutting down')


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit('usage: zen_socketserver.py PORT')
    main(int(sys.argv[1]))
