"""redis-py's asyncio client against a Redis of our own."""

import asyncio
import contextlib
import os

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError


@contextlib.asynccontextmanager
async def connected(port, **options):
    """Yields a client of an empty database."""
    async with Redis(host="127.0.0.1", port=port, **options) as redis:
        await redis.flushdb()
        yield redis


def test_values_come_back(run, redis_port):
    async def main():
        large = os.urandom(2 << 20)
        async with connected(redis_port) as redis:
            await redis.set("small", "1")
            await redis.set("large", large)
            assert await redis.mget("small", "large", "none") == [b"1", large, None]

    run(main())


def test_many_tasks_share_a_pool(run, redis_port):
    async def main():
        async with connected(redis_port) as redis:
            pool = BlockingConnectionPool(host="127.0.0.1", port=redis_port, max_connections=5)
            async with Redis.from_pool(pool) as shared:

                async def count():
                    for _ in range(10):
                        await shared.incr("count")

                await asyncio.gather(*(count() for _ in range(50)))
            assert await redis.get("count") == b"500"

    run(main())


def test_a_pipeline_is_answered_in_order(run, redis_port):
    async def main():
        async with connected(redis_port) as redis, redis.pipeline() as pipeline:
            for number in range(500):
                pipeline.rpush("numbers", number).llen("numbers")
            answers = await pipeline.execute()
            assert answers == [number // 2 + 1 for number in range(1000)]

    run(main())


def test_subscribers_hear_what_is_published(run, redis_port):
    async def main():
        async with connected(redis_port) as redis:

            async def listen():
                async with redis.pubsub() as subscription:
                    await subscription.subscribe("news")
                    heard = []
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            heard.append(message["data"])
                        if len(heard) == 10:
                            return heard

            listeners = [asyncio.create_task(listen()) for _ in range(5)]
            while await redis.pubsub_numsub("news") != [(b"news", 5)]:
                await asyncio.sleep(0.01)
            for number in range(10):
                await redis.publish("news", number)
            expected = [str(number).encode() for number in range(10)]
            assert await asyncio.gather(*listeners) == [expected] * 5

    run(main())


def test_a_cancelled_wait_leaves_the_item(run, redis_port):
    async def main():
        async with connected(redis_port) as redis:
            waiting = asyncio.create_task(redis.blpop("queue", timeout=0))
            while not (await redis.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            while (await redis.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.01)
            await redis.rpush("queue", "item")
            assert await redis.blpop("queue", timeout=1) == (b"queue", b"item")

    run(main())


def test_nobody_listens(run, listener):
    port = listener.getsockname()[1]
    listener.close()

    async def main():
        async with Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0)) as redis:
            with pytest.raises(RedisConnectionError):
                await redis.ping()

    run(main())
