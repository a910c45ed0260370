/* Preloaded into a process, reports each use of a descriptor that is not open, such as a second close.
 *
 * A line "FUNCTION DESCRIPTOR" each goes to the file that DESCRIPTOR_LOG names; the last line of a
 * process that exits, "closed NUMBER", shows that it was watched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_file = -1;
static long closed;

static void line(const char *what, long number) {
    char text[64];
    int length = snprintf(text, sizeof text, "%s %ld\n", what, number);
    /* Not by write(), which is watched. */
    syscall(SYS_write, log_file, text, length);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DESCRIPTOR_LOG");
    if (path)
        log_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    /* Children are not what is watched. */
    unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void) {
    line("closed", closed);
}

#define WATCHED(type, name, parameters, arguments)   \
    type name parameters {                           \
        static type(*next) parameters;               \
        if (!next)                                   \
            next = dlsym(RTLD_NEXT, #name);          \
        type result = next arguments;                \
        if (result == -1 && errno == EBADF) {        \
            line(#name, fd);                         \
            errno = EBADF;                           \
        }                                            \
        return result;                               \
    }

int close(int fd) {
    __atomic_fetch_add(&closed, 1, __ATOMIC_RELAXED);
    int result = (int)syscall(SYS_close, fd);
    if (result == -1 && errno == EBADF) {
        line("close", fd);
        errno = EBADF;
    }
    return result;
}

WATCHED(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))
WATCHED(ssize_t, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WATCHED(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WATCHED(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WATCHED(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
WATCHED(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WATCHED(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
WATCHED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WATCHED(int, accept4, (int fd, struct sockaddr *peer, socklen_t *size, int flags), (fd, peer, size, flags))
WATCHED(int, connect, (int fd, const struct sockaddr *peer, socklen_t size), (fd, peer, size))
WATCHED(int, shutdown, (int fd, int how), (fd, how))
WATCHED(int, getpeername, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size))
WATCHED(int, getsockname, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size))
WATCHED(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
WATCHED(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), (fd, level, name, value, size))
WATCHED(int, epoll_ctl, (int poller, int operation, int fd, struct epoll_event *event), (poller, operation, fd, event))
