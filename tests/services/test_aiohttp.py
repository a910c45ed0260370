"""aiohttp's server and client, against each other."""

import asyncio
import contextlib
import hashlib
import io

import pytest
from aiohttp import (
    ClientSession,
    ClientTimeout,
    ServerDisconnectedError,
    TCPConnector,
    WSMsgType,
    web,
)

BODY = bytes(range(256)) * (8 << 12)  # 8 MiB


class Site:
    """A web site with a page for each thing to test."""

    def __init__(self):
        self.peers = set()
        self.cancelled = asyncio.Event()
        self.reached = asyncio.Event()

    async def hello(self, request):
        self.peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({"hello": request.query["name"]})

    async def digest(self, request):
        found = hashlib.sha256()
        async for chunk in request.content.iter_any():
            found.update(chunk)
        return web.Response(text=found.hexdigest())

    async def body(self, request):
        return web.Response(body=BODY)

    async def chunks(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(BODY), 1 << 16):
            await response.write(BODY[start : start + (1 << 16)])
        await response.write_eof()
        return response

    async def never(self, request):
        self.reached.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def fault(self, request):
        request.transport.abort()
        return web.Response()

    async def talk(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data.upper())
            else:
                await socket.send_bytes(message.data)
        return socket


@contextlib.asynccontextmanager
async def visited(server_tls=None, client_tls=None, **options):
    """Serves the site and yields it with a client's session."""
    site, application = Site(), web.Application(client_max_size=1 << 30)
    pages = {"hello", "body", "chunks", "never", "fault", "talk"}
    application.add_routes([web.get(f"/{page}", getattr(site, page)) for page in pages])
    application.add_routes([web.post("/digest", site.digest)])
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    server = web.TCPSite(runner, "localhost", 0, ssl_context=server_tls)
    await server.start()
    port = runner.addresses[0][1]
    scheme = "https" if server_tls else "http"
    connector = TCPConnector(ssl=client_tls or True, **options)
    try:
        async with ClientSession(f"{scheme}://localhost:{port}", connector=connector) as session:
            yield site, session
    finally:
        await runner.cleanup()


@pytest.fixture(params=["plain", "TLS"])
def contexts(request, server_tls, client_tls):
    """The TLS contexts to use: none, or one each."""
    return (server_tls, client_tls) if request.param == "TLS" else (None, None)


def test_hundreds_of_requests_share_kept_connections(run, contexts):
    async def main():
        async with visited(*contexts, limit=5) as (site, session):

            async def ask(name):
                async with session.get("/hello", params={"name": str(name)}) as response:
                    assert response.status == 200
                    return await response.json()

            answers = await asyncio.gather(*(ask(number) for number in range(300)))
            assert answers == [{"hello": str(number)} for number in range(300)]
            assert 1 <= len(site.peers) <= 5

    run(main())


def test_large_bodies_go_up_and_come_down_whole(run, contexts):
    async def main():
        async with visited(*contexts) as (_, session):
            async with session.post("/digest", data=io.BytesIO(BODY)) as response:
                assert await response.text() == hashlib.sha256(BODY).hexdigest()
            for page in ("/body", "/chunks"):
                async with session.get(page) as response:
                    assert await response.read() == BODY

    run(main())


def test_a_body_is_uploaded_while_it_is_made(run, contexts):
    async def pieces():
        for start in range(0, len(BODY), 1 << 17):
            await asyncio.sleep(0)
            yield BODY[start : start + (1 << 17)]

    async def main():
        async with (
            visited(*contexts) as (_, session),
            session.post("/digest", data=pieces()) as response,
        ):
            assert await response.text() == hashlib.sha256(BODY).hexdigest()

    run(main())


def test_a_client_that_goes_away_cancels_its_handler(run, contexts):
    async def main():
        async with visited(*contexts) as (site, session):
            request = asyncio.create_task(session.get("/never"))
            await site.reached.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            await asyncio.wait_for(site.cancelled.wait(), 5)

    run(main())


def test_a_late_answer_times_out(run):
    async def main():
        async with visited() as (site, session):
            with pytest.raises(TimeoutError):
                await session.get("/never", timeout=ClientTimeout(total=0.05))
            await asyncio.wait_for(site.cancelled.wait(), 5)
            async with session.get("/hello", params={"name": "again"}) as response:
                assert response.status == 200

    run(main())


def test_an_aborted_connection_is_an_error_of_the_client(run):
    async def main():
        async with visited() as (_, session):
            with pytest.raises(ServerDisconnectedError):
                await session.get("/fault")

    run(main())


def test_nobody_listens(run, listener):
    port = listener.getsockname()[1]
    listener.close()

    async def main():
        async with ClientSession() as session:
            with pytest.raises(OSError, match="Connect call failed"):
                await session.get(f"http://127.0.0.1:{port}")

    run(main())


def test_websockets_talk(run, contexts):
    async def main():
        async with (
            visited(*contexts) as (_, session),
            session.ws_connect("/talk", max_msg_size=1 << 24) as socket,
        ):
            for number in range(100):
                await socket.send_str(f"message {number}")
            for number in range(100):
                assert await socket.receive_str() == f"MESSAGE {number}"
            await socket.send_bytes(BODY[: 1 << 20])
            assert await socket.receive_bytes() == BODY[: 1 << 20]

    run(main())
