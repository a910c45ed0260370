"""uvicorn with httptools, asked by httpx."""

import asyncio
import contextlib
import hashlib

import httpx
import pytest
import uvicorn

BODY = bytes(range(256)) * (4 << 12)  # 4 MiB


class Application:
    """An ASGI application with a page for each thing to test."""

    def __init__(self):
        self.life = []
        self.peers = set()
        self.disconnected = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        self.peers.add(scope["client"])
        await getattr(self, scope["path"].strip("/"))(scope, receive, send)

    async def live(self, receive, send):
        while "shutdown" not in self.life:
            message = await receive()
            self.life.append(message["type"].removeprefix("lifespan."))
            await send({"type": f"{message['type']}.complete"})

    async def hello(self, scope, receive, send):
        await answer(send, b"hello " + scope["query_string"])

    async def digest(self, scope, receive, send):
        found, more = hashlib.sha256(), True
        while more:
            message = await receive()
            found.update(message["body"])
            more = message["more_body"]
        await answer(send, found.hexdigest().encode())

    async def chunks(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for start in range(0, len(BODY), 1 << 16):
            chunk = BODY[start : start + (1 << 16)]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def never(self, scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnected.set()

    async def fault(self, scope, receive, send):
        raise LookupError("a fault of the application")


async def answer(send, body):
    """Sends a whole response."""
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def visited(listener, contexts, **options):
    """Serves the application and yields it with a client."""
    application = Application()
    config = uvicorn.Config(
        application,
        http="httptools",
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    config.load()
    config.ssl, client_tls = contexts
    config.is_ssl_ = bool(contexts[0])
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    scheme = "https" if client_tls else "http"
    url = f"{scheme}://localhost:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(
            base_url=url, verify=client_tls or True, timeout=10, trust_env=False, **options
        ) as client:
            yield application, client
    finally:
        server.should_exit = True
        await serving
    assert application.life == ["startup", "shutdown"]


@pytest.fixture(params=["plain", "TLS"])
def contexts(request, server_tls, client_tls):
    """The TLS contexts to use: none, or one each."""
    return (server_tls, client_tls) if request.param == "TLS" else (None, None)


def test_hundreds_of_requests_share_kept_connections(run, listener, contexts):
    async def main():
        limits = httpx.Limits(max_connections=5)
        async with visited(listener, contexts, limits=limits) as (application, client):

            async def ask_often(name):
                for number in range(40):
                    response = await client.get(f"/hello?{name}-{number}")
                    assert response.text == f"hello {name}-{number}"

            await asyncio.gather(*(ask_often(name) for name in range(5)))
            assert 1 <= len(application.peers) <= 5

    run(main())


def test_large_bodies_go_up_and_come_down_whole(run, listener, contexts):
    async def main():
        async with visited(listener, contexts) as (_, client):
            response = await client.post("/digest", content=BODY)
            assert response.text == hashlib.sha256(BODY).hexdigest()
            assert (await client.get("/chunks")).content == BODY

    run(main())


def test_a_slow_reader_gets_everything(run, listener):
    async def main():
        async with (
            visited(listener, (None, None)) as (_, client),
            client.stream("GET", "/chunks") as response,
        ):
            got = hashlib.sha256()
            async for chunk in response.aiter_raw():
                got.update(chunk)
                await asyncio.sleep(0)
            assert got.digest() == hashlib.sha256(BODY).digest()

    run(main())


def test_the_application_hears_that_its_client_has_gone(run, listener, contexts):
    async def main():
        async with visited(listener, contexts) as (application, client):
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/never", timeout=0.05)
            await asyncio.wait_for(application.disconnected.wait(), 5)

    run(main())


def test_a_fault_of_the_application_is_an_answer(run, listener):
    async def main():
        async with visited(listener, (None, None)) as (_, client):
            assert (await client.get("/fault")).status_code == 500
            assert (await client.get("/hello?again")).status_code == 200

    run(main())


def test_a_certificate_nobody_vouches_for_is_refused(run, listener, server_tls):
    async def main():
        async with visited(listener, (server_tls, None)) as (_, client):
            url = f"https://localhost:{listener.getsockname()[1]}/hello"
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(url)

    run(main())
