#!/usr/bin/env python3
# The Zen of Python server, with coroutines: python3 zen_asyncio.py PORT

import asyncio
import sys

ANSWERS = {
    'Beautiful is better than?': 'Ugly.',
    'Explicit is better than?': 'Implicit.',
    'Simple is better than?': 'Complex.',
}
QUESTION_MAX = 1024


async def handle_conversation(reader, writer):
    """Answer the questions of one client until it hangs up."""
    address = writer.get_extra_info('peername')
    print('Accepted connection from {}'.format(address), flush=True)
    while True:
        try:
            data = await reader.readuntil(b'?')
        except asyncio.IncompleteReadError as error:
            left = error.partial.strip()
            if left:
                print('Client {} left after {!r}'.format(address, left))
            break
        question = data.decode().strip()
        if len(question) > QUESTION_MAX:
            writer.write(b'Error: question too long.')
            break
        answer = ANSWERS.get(question, 'Error: unknown aphorism.')
        writer.write(answer.encode())
        await writer.drain()
    writer.close()
    print('Closed connection to {}'.format(address), flush=True)


async def main(port):
    server = await asyncio.start_server(handle_conversation, '127.0.0.1', port)
    host, port = server.sockets[0].getsockname()
    print('Listening at {}:{}'.format(host, port), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit('usage: zen_asyncio.py PORT')
    try:
        asyncio.run(main(int(sys.argv[1])))
    except KeyboardInterrupt:
        print('Shutting down')
