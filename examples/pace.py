"""A producer and a consumer again, but here the consumer sets the pace.

The producer waits until what it has put is consumed; the consumer takes two seconds over each
message.
"""

import asyncio

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
            await self.queue.join()
        await self.queue.put(END)

    async def stop(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.running = False


class Consumer:
    def __init__(self, producer: Producer) -> None:
        self.queue = producer.queue = asyncio.Queue()

    async def run(self) -> None:
        while (message := await self.queue.get()) != END:
            print(message)
            await asyncio.sleep(2)
            self.queue.task_done()
        print(END)


async def main() -> None:
    producer = Producer()
    consumer = Consumer(producer)
    await asyncio.gather(producer.run(), consumer.run(), producer.stop(20))


if __name__ == "__main__":
    asyncio.run(main())
