"""A certificate for the servers that speak TLS. The load generator trusts everybody."""

import ssl

import trustme


def server_context() -> ssl.SSLContext:
    """Returns a server's context with a new certificate, otherwise as Python makes it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context
