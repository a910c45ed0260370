"""Web servers that people use, with an answer of one line."""

import asyncio
import socket

from .protocols import BACKLOG

BODY = b"Hello, world!\n"


def listener() -> socket.socket:
    """Returns a socket to serve on."""
    return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


async def uvicorn() -> str:
    import uvicorn

    async def application(scope, receive, send) -> None:
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    config = uvicorn.Config(
        application,
        http="httptools",
        lifespan="off",
        log_level="error",
        access_log=False,
    )
    server, socket_ = uvicorn.Server(config), listener()
    server.task = asyncio.create_task(server.serve(sockets=[socket_]))
    while not server.started:
        await asyncio.sleep(0.01)
    return f"tcp:{socket_.getsockname()[1]}"


async def aiohttp() -> str:
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type="text/plain")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    socket_ = listener()
    await web.SockSite(runner, socket_).start()
    return f"tcp:{socket_.getsockname()[1]}"
