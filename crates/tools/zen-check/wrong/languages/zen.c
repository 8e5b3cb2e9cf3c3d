/* A server in C, a thread for each client: zen PORT
 * With `wrong` behind the port it writes behind the end of a buffer that is too
 * small, which may go well for long without a sanitizer. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUESTION_MAX = 1024 };

static int wrong;

static const char *answer(const char *question, size_t length)
{
    static const char *known[][2] = {
        {"Beautiful is better than", "Ugly."},
        {"Explicit is better than", "Implicit."},
        {"Simple is better than", "Complex."},
    };
    for (int i = 0; i < 3; i++)
        if (length == strlen(known[i][0])
                && memcmp(question, known[i][0], length) == 0)
            return known[i][1];
    return "Error: unknown aphorism.";
}

static int say(int sock, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t n = send(sock, text, length, MSG_NOSIGNAL);
        if (n < 0)
            return -1;
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

static void *converse(void *argument)
{
    int sock = (int)(intptr_t)argument;
    char *question = malloc(wrong ? 128 : QUESTION_MAX), bytes[4096];
    size_t length = 0;
    ssize_t n;
    int refused = 0;
    while ((n = recv(sock, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < n && !refused; i++) {
            if (bytes[i] == '?') {
                if (say(sock, answer(question, length)) < 0)
                    refused = 1;
                length = 0;
            } else if (length > 0 || !memchr(" \t\n\f\r", bytes[i], 5)) {
                question[length++] = bytes[i];
                if (length == QUESTION_MAX && !wrong) {
                    say(sock, "Error: question too long.");
                    shutdown(sock, SHUT_WR);
                    refused = 1;
                }
            }
        }
    }
    free(question);
    close(sock);
    return NULL;
}

static void stop(int number)
{
    (void)number;
    _exit(0);
}

int main(int words, char **word)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (words < 2)
        return 2;
    wrong = words > 2;
    here.sin_port = htons((uint16_t)atoi(word[1]));
    inet_pton(AF_INET, "127.0.0.1", &here.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0
            || listen(listener, 500) < 0)
        return 1;
    for (;;) {
        int sock = accept(listener, NULL, NULL);
        pthread_t thread;
        if (sock < 0)
            continue;
        if (pthread_create(&thread, NULL, converse,
                (void *)(intptr_t)sock) == 0)
            pthread_detach(thread);
        else
            close(sock);
    }
}
