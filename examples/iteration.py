"""Three producers that are iterated over, and a consumer that goes round them.

Each producer has a new message every four seconds; twenty seconds later they are stopped.
"""

import asyncio
from collections.abc import AsyncIterator
from itertools import count


class Producer:
    def __init__(self, name: str) -> None:
        self.name = name
        self.running = True

    async def __aiter__(self) -> AsyncIterator[str]:
        clock = asyncio.get_running_loop().time
        due = clock()
        for number in count(1):
            await asyncio.sleep(due - clock())
            if not self.running:
                return
            yield f"Round {self.name}{number}"
            due += 4

    def stop(self) -> None:
        self.running = False


class Consumer:
    def __init__(self, producers: list[Producer]) -> None:
        self.rounds = [aiter(producer) for producer in producers]

    async def run(self) -> None:
        while self.rounds:
            for producer in list(self.rounds):
                async for message in producer:
                    print(message)
                    break
                else:
                    self.rounds.remove(producer)
        print("[End of input]")


async def main() -> None:
    producers = [Producer(name) for name in "abc"]
    for producer in producers:
        asyncio.get_running_loop().call_later(20, producer.stop)
    await Consumer(producers).run()


if __name__ == "__main__":
    asyncio.run(main())
