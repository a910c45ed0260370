/* Drives a server and prints, as JSON, how much it answered and what that cost it.
 *
 *   load -k KIND -a ADDRESS [-s BYTES] [-c CONNECTIONS] [-d DEPTH] [-t] [-w SECONDS] [-p PID]
 *
 * KIND  echo   sends DEPTH messages of BYTES bytes, waits until they have come back, and again
 *       http   sends a GET, waits for a response as long as the first one, and again
 *       accept connects, waits until the server closes, and again
 *       hold   has a message echoed on each connection, says so, and waits to be killed
 * -t speaks TLS, -p names the server's process. What comes back is compared with what was sent.
 */
#define _GNU_SOURCE
#include "address.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, EVENTS = 512, STALL_MS = 5000 };
static const double WARM_UP_SECONDS = 0.15;
static const char GET[] = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
static const char OK[] = "HTTP/1.1 200";

struct connection {
    int fd;
    void *tls;
    size_t sent, received; /* of the batch under way */
    bool blocked;          /* by the kernel's send buffer */
};

static struct {
    const char *kind;
    struct address address;
    size_t bytes;
    int connections, depth;
    bool tls;
    double seconds;
    pid_t server;
} options = {.kind = "echo", .bytes = 64, .connections = 10, .depth = 1, .seconds = 0.5};

static char buffer[BUFFER];
static char *request;       /* a batch, as it is sent */
static size_t request_size; /* of a batch */
static size_t answer_size;  /* of what must come back for it */
static bool echoes, accepts;
static void *context;
static int poller;
static long batches;

static void die(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static double clock_seconds(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time))
        fail("clock_gettime");
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* CPU time of the server, in user and in system mode. */
static double server_seconds(void) {
    clockid_t clock;
    if (!options.server || clock_getcpuclockid(options.server, &clock))
        return 0;
    return clock_seconds(clock);
}

/* Both return 0 when it must wait. */
static size_t transmit(struct connection *connection, const char *data, size_t length) {
    if (connection->tls) {
        int sent = openssl.SSL_write(connection->tls, data, (int)length);
        if (sent > 0)
            return (size_t)sent;
        if (openssl.SSL_get_error(connection->tls, sent) != TLS_WANT_WRITE)
            die("TLS write failed");
        return 0;
    }
    ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        fail("send");
    return sent < 0 ? 0 : (size_t)sent;
}

static size_t receive(struct connection *connection) {
    if (connection->tls) {
        int got = openssl.SSL_read(connection->tls, buffer, sizeof buffer);
        if (got > 0)
            return (size_t)got;
        if (openssl.SSL_get_error(connection->tls, got) != TLS_WANT_READ)
            die("TLS read failed");
        return 0;
    }
    ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
    if (got == 0)
        die("closed by the server");
    if (got < 0 && errno != EAGAIN)
        fail("recv");
    return got < 0 ? 0 : (size_t)got;
}

static void watch(struct connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event))
        fail("epoll_ctl");
}

static void send_rest(struct connection *connection) {
    while (connection->sent < request_size) {
        size_t sent = transmit(connection, request + connection->sent, request_size - connection->sent);
        connection->sent += sent;
        if (!sent)
            break;
    }
    bool blocked = connection->sent < request_size;
    if (blocked != connection->blocked) {
        connection->blocked = blocked;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | (blocked ? EPOLLOUT : 0));
    }
}

static void check(const struct connection *connection, size_t got) {
    if (connection->received + got > answer_size)
        die("more came back than was sent");
    if (echoes && memcmp(buffer, request + connection->received, got))
        die("something else came back");
    if (!echoes && !connection->received && (got < sizeof OK - 1 || memcmp(buffer, OK, sizeof OK - 1)))
        die("not a response of 200");
}

static void read_answer(struct connection *connection) {
    size_t got = receive(connection);
    check(connection, got);
    connection->received += got;
    if (got && connection->received == answer_size) {
        batches++;
        connection->sent = connection->received = 0;
        send_rest(connection);
    }
}

static void start_connecting(struct connection *connection) {
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        fail("socket");
    if (connect(connection->fd, &options.address.name.any, options.address.length) && errno != EINPROGRESS)
        fail("connect");
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

/* A reset leaves no port behind that nobody may use for a minute. */
static void await_close(struct connection *connection) {
    if (recv(connection->fd, buffer, sizeof buffer, 0))
        die("not closed by the server");
    struct linger reset = {.l_onoff = 1};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(connection->fd);
    batches++;
    start_connecting(connection);
}

static void turn(void) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, STALL_MS);
    if (ready == 0)
        die("no answer for five seconds");
    for (int index = 0; index < ready; index++) {
        struct connection *connection = events[index].data.ptr;
        if (accepts) {
            await_close(connection);
            continue;
        }
        if (events[index].events & EPOLLOUT)
            send_rest(connection);
        if (events[index].events & ~(uint32_t)EPOLLOUT)
            read_answer(connection);
    }
}

static void open_connection(struct connection *connection) {
    struct address *address = &options.address;
    connection->fd = socket(address->name.any.sa_family, address->type | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, &address->name.any, address->length))
        fail("connect");
    send_at_once(connection->fd);
    if (options.tls) {
        connection->tls = openssl.SSL_new(context);
        openssl.SSL_set_fd(connection->tls, connection->fd);
        if (openssl.SSL_connect(connection->tls) != 1)
            die("TLS handshake failed");
    }
}

/* Learns from a first exchange how long a response is. */
static size_t response_size(struct connection *connection) {
    size_t got = 0, wanted = sizeof buffer - 1;
    if (transmit(connection, GET, sizeof GET - 1) != sizeof GET - 1)
        die("request not sent");
    while (got < wanted) {
        ssize_t more = recv(connection->fd, buffer + got, wanted - got, 0);
        if (more <= 0)
            fail("no response");
        got += (size_t)more;
        buffer[got] = 0;
        const char *end = strstr(buffer, "\r\n\r\n");
        const char *length = strcasestr(buffer, "\r\ncontent-length:");
        if (end && length)
            wanted = (size_t)(end + 4 - buffer) + strtoul(length + 17, NULL, 10);
        else if (end)
            die("a response without content-length");
    }
    return got;
}

static void prepare_request(void) {
    request_size = answer_size = options.bytes * (size_t)options.depth;
    request = malloc(request_size + 1);
    for (size_t index = 0; index < request_size; index++) {
        size_t place = index % options.bytes;
        request[index] = place == options.bytes - 1 ? '\n' : (char)('a' + (index / options.bytes + place) % 26);
    }
}

static void connect_all(struct connection *connections) {
    for (int index = 0; index < options.connections; index++)
        open_connection(&connections[index]);
    if (!strcmp(options.kind, "http")) {
        answer_size = response_size(&connections[0]);
        request_size = sizeof GET - 1;
        memcpy(request = malloc(sizeof GET), GET, sizeof GET);
    }
    for (int index = 0; index < options.connections; index++) {
        struct connection *connection = &connections[index];
        fcntl(connection->fd, F_SETFL, O_NONBLOCK);
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
        send_rest(connection);
    }
}

/* Each connection's echo is read by itself, so that none gets another message. */
static void hold(struct connection *connections) {
    for (int index = 0; index < options.connections; index++) {
        struct connection *connection = &connections[index];
        open_connection(connection);
        if (transmit(connection, request, request_size) != request_size)
            die("message not sent");
        for (size_t got = 0; got < answer_size;)
            got += receive(connection);
    }
    printf("held\n");
    fflush(stdout);
    for (;;)
        pause();
}

static void measure(void) {
    double now = clock_seconds(CLOCK_MONOTONIC), start = now;
    while (now < start + WARM_UP_SECONDS) {
        turn();
        now = clock_seconds(CLOCK_MONOTONIC);
    }
    start = now;
    double cpu = server_seconds();
    batches = 0;
    while (now < start + options.seconds) {
        turn();
        now = clock_seconds(CLOCK_MONOTONIC);
    }
    cpu = server_seconds() - cpu;
    printf("{\"operations\": %ld, \"seconds\": %.6f, \"cpu\": %.6f}\n", batches * options.depth, now - start, cpu);
}

static void parse_options(int count, char **arguments) {
    int option;
    while ((option = getopt(count, arguments, "k:a:s:c:d:tw:p:")) != -1) {
        switch (option) {
        case 'k': options.kind = optarg; break;
        case 'a': options.address = parse_address(optarg); break;
        case 's': options.bytes = strtoul(optarg, NULL, 10); break;
        case 'c': options.connections = atoi(optarg); break;
        case 'd': options.depth = atoi(optarg); break;
        case 't': options.tls = true; break;
        case 'w': options.seconds = atof(optarg); break;
        case 'p': options.server = atoi(optarg); break;
        default: exit(2);
        }
    }
    if (!options.address.length || !options.bytes || options.connections < 1 || options.depth < 1)
        die("an address, and numbers above zero, are needed");
}

int main(int count, char **arguments) {
    parse_options(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections = calloc((size_t)options.connections, sizeof *connections);
    echoes = strcmp(options.kind, "http") != 0;
    accepts = !strcmp(options.kind, "accept");
    if (options.tls)
        context = tls_context();
    prepare_request();
    if (!strcmp(options.kind, "hold"))
        hold(connections);
    if (accepts)
        for (int index = 0; index < options.connections; index++)
            start_connecting(&connections[index]);
    else
        connect_all(connections);
    measure();
    return 0;
}
