// A server on Node: node zen.js PORT
// With `wrong` behind the port it does not listen to 'error', and an error of
// one client that no one listens to ends the process.

const net = require('net');

const ANSWERS = new Map([
  ['Beautiful is better than', 'Ugly.'],
  ['Explicit is better than', 'Implicit.'],
  ['Simple is better than', 'Complex.'],
]);
const [port, word] = process.argv.slice(2);
const clients = new Set();

const server = net.createServer({ allowHalfOpen: true }, (sock) => {
  let received = '';
  clients.add(sock);
  sock.on('close', () => clients.delete(sock));
  // After 'error' comes 'close'.
  if (word !== 'wrong') sock.on('error', () => {});
  sock.on('data', (data) => {
    // In Latin-1 each byte is a character, whatever it is.
    const questions = (received + data.toString('latin1')).split('?');
    received = questions.pop();
    for (const question of questions) {
      const asked = question.replace(/^[ \t\n\f\r]+/, '');
      sock.write(ANSWERS.get(asked) ?? 'Error: unknown aphorism.');
    }
  });
  sock.on('end', () => sock.end());
});

function stop() {
  server.close(() => process.exit(0));
  for (const sock of clients) sock.end();
  // A client that does not leave is not waited for.
  setTimeout(() => process.exit(0), 1500);
}

process.on('SIGINT', stop);
process.on('SIGTERM', stop);
if (port) server.listen(Number(port), '127.0.0.1');
else process.exit(0);
