# A server on asyncio that ends as it should: python3 zen_asyncio_stop.py PORT
# With `wrong` behind the port it waits for its clients: since Python 3.12,
# wait_closed() returns only when the last of them has left.

import asyncio
import signal
import sys

ANSWERS = {
    b'Beautiful is better than': b'Ugly.',
    b'Explicit is better than': b'Implicit.',
    b'Simple is better than': b'Complex.',
}
UNKNOWN = b'Error: unknown aphorism.'
WHITE_SPACE = b' \t\n\x0c\r'


class Zen(asyncio.Protocol):
    clients = set()

    def connection_made(self, transport):
        self.transport = transport
        self.received = b''
        self.clients.add(transport)

    def data_received(self, data):
        self.received += data
        while b'?' in self.received:
            question, self.received = self.received.split(b'?', 1)
            question = question.lstrip(WHITE_SPACE)
            self.transport.write(ANSWERS.get(question, UNKNOWN))

    def connection_lost(self, error):
        self.clients.discard(self.transport)


async def main(port, wrong):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Zen, '127.0.0.1', port, backlog=500)
    stop = asyncio.Event()
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    server.close()
    if wrong:
        await server.wait_closed()
        return
    for transport in list(Zen.clients):
        transport.close()
    try:
        # A client that does not read is not waited for.
        await asyncio.wait_for(server.wait_closed(), 1.5)
    except TimeoutError:
        for transport in list(Zen.clients):
            transport.abort()


if sys.version_info < (3, 12):
    sys.exit('in this Python, wait_closed() waits for no one')
if len(sys.argv) > 1:
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:] == ['wrong']))
