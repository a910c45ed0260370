"""What the tests of other people's libraries share: loops to run on, certificates, databases."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import trustme
from tests.python.conftest import interruptible, leak_guard

import roundel

__all__ = ["interruptible", "leak_guard"]

START_SECONDS = 20
FACTORIES = {"asyncio": asyncio.new_event_loop, "roundel's loop": roundel.new_event_loop}


@pytest.fixture(params=[*FACTORIES, "installed"])
def run(request):
    """Runs a coroutine on asyncio, for reference, on roundel's loop, and after `install()`.

    Whatever reaches the loop's exception handler fails the test, and so do tasks left pending.
    """
    installed = request.param == "installed"
    if installed:
        roundel.install()
    factory = None if installed else FACTORIES[request.param]
    unexpected = []

    async def watched(main):
        loop = asyncio.get_running_loop()
        assert isinstance(loop, roundel.EventLoop) == (request.param != "asyncio")
        loop.set_exception_handler(lambda _, context: unexpected.append(context))
        before = asyncio.all_tasks()
        result = await main
        for _ in range(100):  # what a library has cancelled ends by itself
            left = asyncio.all_tasks() - before
            if not left:
                break
            await asyncio.sleep(0.01)
        assert not left, f"tasks left pending: {left}"
        return result

    def run(main):
        with asyncio.Runner(loop_factory=factory) as runner:
            result = runner.run(watched(main))
        assert unexpected == []
        return result

    yield run
    if installed:
        roundel.uninstall()


@pytest.fixture(scope="session")
def authority():
    """Somebody who issues certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority):
    """A server's TLS context, for localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(authority):
    """A client's TLS context, which trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def listener():
    """A socket that listens on a free port of this host."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    listener.close()


def free_port():
    """Returns a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port):
    """Tells whether somebody listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


@contextlib.contextmanager
def serving(command, log, is_ready, stop=signal.SIGTERM):
    """Runs a server until the block ends, which begins once the server is ready."""
    with open(log, "wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd="/")
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[0]} did not start:\n{Path(log).read_text()}")
            time.sleep(0.02)
        yield
    finally:
        server.send_signal(stop)
        server.wait(START_SECONDS)


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory):
    """The port of a Redis of our own."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("no redis-server here; `make services` installs it")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with serving([*command, "--save", ""], folder / "log", lambda: answers(port)):
        yield port


def postgres_programs():
    """Returns the folder of the newest PostgreSQL's programs."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    found = [*reversed(folders), *(Path(path) for path in os.environ["PATH"].split(":"))]
    fit = [folder for folder in found if (folder / "initdb").exists()]
    if not fit:
        pytest.skip("no PostgreSQL here; `make services` installs it")
    return fit[0]


def unprivileged():
    """Returns what makes a command run as whom: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            return ["setpriv", *ids], user
    pytest.skip("no user here whom PostgreSQL could run as")


@pytest.fixture(scope="session")
def postgres_port(tmp_path_factory, authority):
    """The port of a PostgreSQL of our own, which speaks TLS, too; its user is postgres."""
    programs = postgres_programs()
    prefix, user = unprivileged()
    # pytest's own folders are nobody else's to enter.
    folder = Path(subprocess.check_output([*prefix, "mktemp", "-d"], text=True, cwd="/").strip())
    data, port = folder / "data", free_port()
    try:
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run([*prefix, *initdb], check=True, stdout=subprocess.DEVNULL, cwd="/")
        certificate = authority.issue_cert("localhost")
        certificate.cert_chain_pems[0].write_to_path(str(data / "server.crt"))
        certificate.private_key_pem.write_to_path(str(data / "server.key"))
        (data / "server.key").chmod(0o600)
        if user:
            shutil.chown(data / "server.key", user.pw_uid, user.pw_gid)
        settings = {"ssl": "on", "fsync": "off", "unix_socket_directories": "", "port": port}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        command = [*prefix, str(programs / "postgres"), "-D", str(data), *options]
        ask = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        # A terminated PostgreSQL waits for its clients, an interrupted one does not.
        with serving(
            command,
            folder / "log",
            lambda: subprocess.run(ask, cwd="/").returncode == 0,
            signal.SIGINT,
        ):
            yield port
    finally:
        shutil.rmtree(folder)
