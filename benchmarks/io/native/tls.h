/* The few functions of OpenSSL 3 that a client needs, found at run time, where Python's ssl finds
 * them, too: the compiler needs no headers. */
#ifndef TLS_H
#define TLS_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { TLS_WANT_READ = 2, TLS_WANT_WRITE = 3 }; /* SSL_ERROR_… */

static struct {
    const void *(*TLS_client_method)(void);
    void *(*SSL_CTX_new)(const void *method);
    void *(*SSL_new)(void *context);
    int (*SSL_set_fd)(void *tls, int fd);
    int (*SSL_connect)(void *tls);
    int (*SSL_read)(void *tls, void *data, int length);
    int (*SSL_write)(void *tls, const void *data, int length);
    int (*SSL_get_error)(const void *tls, int result);
} openssl;

static void *tls_symbol(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) {
        fprintf(stderr, "libssl has no %s\n", name);
        exit(1);
    }
    return symbol;
}

/* Returns a context that trusts everybody. */
static void *tls_context(void) {
    void *library = dlopen("libssl.so.3", RTLD_NOW);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
#define FIND(name) openssl.name = (__typeof__(openssl.name))tls_symbol(library, #name)
    FIND(TLS_client_method);
    FIND(SSL_CTX_new);
    FIND(SSL_new);
    FIND(SSL_set_fd);
    FIND(SSL_connect);
    FIND(SSL_read);
    FIND(SSL_write);
    FIND(SSL_get_error);
#undef FIND
    return openssl.SSL_CTX_new(openssl.TLS_client_method());
}

#endif
