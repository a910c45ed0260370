/* Addresses as both programs take them: tcp:PORT, udp:PORT and unix:PATH, PORT on 127.0.0.1. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    int type; /* SOCK_STREAM or SOCK_DGRAM */
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_un unix_path;
    } name;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct address parse_address(const char *text) {
    struct address address = {.type = SOCK_STREAM};
    const char *rest = strchr(text, ':');
    if (!rest) {
        fprintf(stderr, "no address: %s\n", text);
        exit(2);
    }
    rest++;
    if (!strncmp(text, "unix:", 5)) {
        address.name.unix_path.sun_family = AF_UNIX;
        snprintf(address.name.unix_path.sun_path, sizeof address.name.unix_path.sun_path, "%s", rest);
        address.length = sizeof address.name.unix_path;
        return address;
    }
    if (!strncmp(text, "udp:", 4))
        address.type = SOCK_DGRAM;
    address.name.inet.sin_family = AF_INET;
    address.name.inet.sin_port = htons((in_port_t)atoi(rest));
    address.name.inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.length = sizeof address.name.inet;
    return address;
}

static void send_at_once(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails where there is no TCP */
}

#endif
