"""A producer and a consumer, green threads in one thread of control, and a queue between them.

Whoever has put something sleeps for two seconds, so that others may work. Twenty seconds later
the producer is stopped.
"""

import asyncio
import sys

END = "[End of input]"


class Producer:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[str]
        self.running = True

    async def run(self) -> None:
        number = 0
        while self.running:
            number += 1
            await self.queue.put(f"Round {number}")
            await asyncio.sleep(2)
            await asyncio.sleep(0)  # whoever stops this at the same moment goes first
        await self.queue.put(END)

    async def stop(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.running = False


class Consumer:
    def __init__(self, producer: Producer) -> None:
        self.queue = producer.queue = asyncio.Queue(1)

    async def run(self) -> None:
        message = None
        while message != END:
            message = await self.queue.get()
            print(message)


async def main(sequential: bool) -> None:
    producer = Producer()
    consumer = Consumer(producer)
    if sequential:
        # Nobody consumes while the producer is awaited: its second put blocks for good.
        await producer.run()
        await consumer.run()
        await producer.stop(20)
    else:
        await asyncio.gather(producer.run(), consumer.run(), producer.stop(20))


if __name__ == "__main__":
    asyncio.run(main(sequential="--sequential" in sys.argv))
