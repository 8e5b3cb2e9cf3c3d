// A server in Java, a thread for each client: java Zen PORT
// With `wrong` behind the port it prints its answers into the buffer of a
// PrintWriter, and never flushes that.

import java.io.*;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.util.Map;

public class Zen {
    static final Map<String, String> ANSWERS = Map.of(
        "Beautiful is better than", "Ugly.",
        "Explicit is better than", "Implicit.",
        "Simple is better than", "Complex.");
    static boolean wrong;

    public static void main(String[] words) throws Exception {
        wrong = words.length > 1 && words[1].equals("wrong");
        for (String name : new String[] {"INT", "TERM"}) {
            sun.misc.Signal.handle(new sun.misc.Signal(name),
                signal -> Runtime.getRuntime().halt(0));
        }
        InetAddress here = InetAddress.getByName("127.0.0.1");
        int port = Integer.parseInt(words[0]);
        try (ServerSocket listener = new ServerSocket(port, 500, here)) {
            while (true) {
                try {
                    Socket sock = listener.accept();
                    new Thread(() -> serve(sock)).start();
                } catch (IOException e) {
                    // It is about one client, or no descriptor is left.
                    Thread.sleep(100);
                }
            }
        }
    }

    static void serve(Socket sock) {
        try (sock) {
            talk(sock.getInputStream(), sock.getOutputStream());
        } catch (IOException e) {
            // This client has gone, and no other.
        }
    }

    static void talk(InputStream in, OutputStream out) throws IOException {
        PrintWriter writer = new PrintWriter(out);
        StringBuilder question = new StringBuilder();
        byte[] bytes = new byte[4096];
        int n;
        while ((n = in.read(bytes)) > 0) {
            StringBuilder answers = new StringBuilder();
            for (int i = 0; i < n; i++) {
                // Each byte is a character, whatever it is.
                char c = (char) (bytes[i] & 0xff);
                if (c == '?') {
                    answers.append(ANSWERS.getOrDefault(
                        question.toString(), "Error: unknown aphorism."));
                    question.setLength(0);
                } else if (question.length() > 0
                        || " \t\n\f\r".indexOf(c) < 0) {
                    question.append(c);
                }
            }
            if (wrong) {
                writer.print(answers);
            } else {
                out.write(answers.toString()
                    .getBytes(StandardCharsets.ISO_8859_1));
            }
        }
    }
}
