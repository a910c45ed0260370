"""asyncpg against a PostgreSQL of our own, with TLS, which it starts midway, and without."""

import asyncio
import os

import asyncpg
import pytest


@pytest.fixture(params=["plain", "TLS"])
def options(request, postgres_port, client_tls):
    """How to connect."""
    context = client_tls if request.param == "TLS" else False
    return {"host": "localhost", "port": postgres_port, "user": "postgres", "ssl": context}


def test_queries_are_answered(run, options):
    async def main():
        connection = await asyncpg.connect(**options)
        try:
            assert await connection.fetchval("SELECT 40 + $1::int", 2) == 42
            rows = await connection.fetch("SELECT n FROM generate_series(1, 50000) AS n")
            assert [row["n"] for row in rows] == list(range(1, 50001))
            large = os.urandom(4 << 20)
            assert await connection.fetchval("SELECT $1::bytea", large) == large
        finally:
            await connection.close()

    run(main())


def test_many_tasks_share_a_pool(run, options):
    async def main():
        async with asyncpg.create_pool(min_size=2, max_size=5, **options) as pool:

            async def ask(number):
                async with pool.acquire() as connection, connection.transaction():
                    return await connection.fetchval("SELECT $1::int * 2", number)

            answers = await asyncio.gather(*(ask(number) for number in range(300)))
            assert answers == [number * 2 for number in range(300)]

    run(main())


def test_records_are_copied_in_and_out(run, options):
    async def main():
        connection = await asyncpg.connect(**options)
        try:
            await connection.execute("CREATE TEMPORARY TABLE pairs (a int, b text)")
            records = [(number, str(number)) for number in range(20_000)]
            await connection.copy_records_to_table("pairs", records=records)
            got = []

            async def collect(data):
                got.append(data)

            await connection.copy_from_query("SELECT * FROM pairs ORDER BY a", output=collect)
            assert b"".join(got) == b"".join(b"%d\t%d\n" % (n, n) for n in range(20_000))
        finally:
            await connection.close()

    run(main())


def test_a_cancelled_query_leaves_the_connection_usable(run, options):
    async def main():
        connection = await asyncpg.connect(**options)
        try:
            with pytest.raises(TimeoutError):
                await connection.fetch("SELECT pg_sleep(60)", timeout=0.1)
            task = asyncio.create_task(connection.fetch("SELECT pg_sleep(60)"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await connection.fetchval("SELECT 1") == 1
        finally:
            await connection.close()

    run(main())


def test_notifications_arrive(run, options):
    async def main():
        listening = await asyncpg.connect(**options)
        speaking = await asyncpg.connect(**options)
        try:
            heard = asyncio.Queue()
            await listening.add_listener("news", lambda *message: heard.put_nowait(message[3]))
            for number in range(20):
                await speaking.execute("SELECT pg_notify('news', $1)", str(number))
            texts = [await asyncio.wait_for(heard.get(), 5) for _ in range(20)]
            assert texts == [str(number) for number in range(20)]
        finally:
            await listening.close()
            await speaking.close()

    run(main())


def test_a_terminated_connection_fails_what_waits_on_it(run, options):
    async def main():
        connection = await asyncpg.connect(**options)
        other = await asyncpg.connect(**options)
        try:
            waiting = asyncio.create_task(connection.fetch("SELECT pg_sleep(60)"))
            await asyncio.sleep(0.05)
            await other.fetchval("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            with pytest.raises((asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError)):
                await waiting
            assert connection.is_closed()
        finally:
            await other.close()

    run(main())
