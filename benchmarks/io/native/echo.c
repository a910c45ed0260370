/* The limit: an echo server that does no more than the kernel asks of it.
 *
 *   echo ADDRESS          sends back what it gets
 *   echo ADDRESS close    closes each connection at once
 *
 * Prints its address once it listens, and serves until it is killed.
 */
#define _GNU_SOURCE
#include "address.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, EVENTS = 256, DATAGRAMS_PER_TURN = 16 };

/* What could not be sent yet. Nothing more is read before it is. */
struct connection {
    int fd;
    size_t start, end;
    char *backlog;
};

static char buffer[BUFFER];
static int poller;

static void watch(struct connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event))
        fail("epoll_ctl");
}

static void finish(struct connection *connection) {
    close(connection->fd);
    free(connection->backlog);
    free(connection);
}

static void accept_one(int listener, bool closes) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (closes) {
        close(fd);
        return;
    }
    send_at_once(fd);
    struct connection *connection = calloc(1, sizeof *connection);
    connection->fd = fd;
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

static void keep(struct connection *connection, const char *data, size_t length) {
    connection->backlog = malloc(length);
    memcpy(connection->backlog, data, length);
    connection->start = 0;
    connection->end = length;
    watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void flush(struct connection *connection) {
    size_t left = connection->end - connection->start;
    ssize_t sent = send(connection->fd, connection->backlog + connection->start, left, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            finish(connection);
        return;
    }
    connection->start += (size_t)sent;
    if (connection->start == connection->end) {
        free(connection->backlog);
        connection->backlog = NULL;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static void echo_stream(struct connection *connection) {
    ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            finish(connection);
        return;
    }
    ssize_t sent = send(connection->fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        finish(connection);
        return;
    }
    if (sent < 0)
        sent = 0;
    if (sent < got)
        keep(connection, buffer + sent, (size_t)(got - sent));
}

static void echo_datagrams(int fd) {
    for (int count = 0; count < DATAGRAMS_PER_TURN; count++) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        if (got < 0)
            return;
        sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&from, length);
    }
}

static int open_socket(const char *text) {
    struct address address = parse_address(text);
    int fd = socket(address.name.any.sa_family, address.type | SOCK_NONBLOCK, 0);
    if (address.name.any.sa_family == AF_UNIX)
        unlink(address.name.unix_path.sun_path); /* of a server that was killed */
    if (fd < 0 || bind(fd, &address.name.any, address.length))
        fail("bind");
    if (address.type == SOCK_STREAM && listen(fd, 4096))
        fail("listen");
    const char *shown = text;
    static char port[32];
    if (address.name.any.sa_family == AF_INET) {
        getsockname(fd, &address.name.any, &address.length);
        snprintf(port, sizeof port, "%.3s:%d", text, ntohs(address.name.inet.sin_port));
        shown = port;
    }
    printf("%s\n", shown);
    fflush(stdout);
    return fd;
}

int main(int count, char **arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: echo tcp:PORT|udp:PORT|unix:PATH [close]\n");
        return 2;
    }
    bool datagrams = !strncmp(arguments[1], "udp:", 4);
    bool closes = count > 2;
    struct connection listener = {.fd = open_socket(arguments[1])};
    poller = epoll_create1(EPOLL_CLOEXEC);
    watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int index = 0; index < ready; index++) {
            struct connection *connection = events[index].data.ptr;
            if (connection == &listener && datagrams)
                echo_datagrams(listener.fd);
            else if (connection == &listener)
                accept_one(listener.fd, closes);
            else if (connection->backlog)
                flush(connection);
            else
                echo_stream(connection);
        }
    }
}
