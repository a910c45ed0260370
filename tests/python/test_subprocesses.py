"""Child processes: every return code arrives and no zombie stays, however they end."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

import roundel

PIPE = subprocess.PIPE


@pytest.fixture(params=[asyncio, roundel], ids=["asyncio", "roundel"])
def both(request):
    """Runs a coroutine on asyncio's loop and on ours: what both must do."""

    def run(main):
        with asyncio.Runner(loop_factory=request.param.new_event_loop) as runner:
            return runner.run(main)

    return run


@pytest.fixture(autouse=True)
def no_zombies():
    """Fails a test that leaves a child behind, dead or alive."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def ends_when_told():
    """Starts a child that the loop can't have heard of when `end()` has ended it."""
    return await asyncio.create_subprocess_exec("sh", "-c", "read line; exit 7", stdin=PIPE)


def end(process):
    """Has the child end, waits until it has, and leaves its status for others to collect."""
    process.stdin.write(b"\n")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_output_and_return_code(both):
    async def main():
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", "read word; echo heard $word; echo alas >&2; exit 3",
            stdin=PIPE, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        assert await process.communicate(b"hello\n") == (b"heard hello\n", b"alas\n")
        assert process.returncode == 3

    both(main())


def test_a_megabyte_goes_through_and_comes_back(both):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        sent = os.urandom(1 << 20)
        assert await process.communicate(sent) == (sent, None)
        assert process.returncode == 0

    both(main())


def test_a_shell_line(both):
    async def main():
        process = await asyncio.create_subprocess_shell("echo $((6 * 7))", stdout=PIPE)
        assert (await process.communicate())[0] == b"42\n"

    both(main())


def test_popens_options_hold(both, tmp_path):
    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c",
            "import os; print(os.getcwd(), os.environ['WORD'], os.getsid(0) == os.getpid(),"
            " os.umask(0), os.nice(0))",
            stdout=PIPE,
            cwd=tmp_path,
            env={"WORD": "hello"},
            start_new_session=True,
            umask=0o27,
            preexec_fn=lambda: os.nice(3),
        )  # fmt: skip
        niceness = os.nice(0) + 3
        expected = f"{tmp_path} hello True {0o27} {min(niceness, 19)}\n"
        assert (await process.communicate())[0].decode() == expected

    both(main())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_child_that_a_signal_ends_has_its_number_for_a_return_code(both, number):
    async def main():
        process = await asyncio.create_subprocess_exec("sleep", "60")
        process.send_signal(number)
        assert await process.wait() == -number
        with pytest.raises(ProcessLookupError):
            process.send_signal(number)

    both(main())


def test_a_program_that_is_not_there(both):
    async def main():
        with pytest.raises(FileNotFoundError) as raised:
            await asyncio.create_subprocess_exec("/nowhere/program", stdin=PIPE, stdout=PIPE)
        assert raised.value.filename == "/nowhere/program"

    both(main())


def test_a_status_that_popen_has_collected_first_is_not_lost():
    async def main():
        process = await ends_when_told()
        end(process)
        assert process._transport._proc.poll() == 7
        assert await process.wait() == 7

    roundel.run(main())


def test_a_signal_for_a_child_that_has_ended_does_not_lose_its_status():
    """On 3.11, `send_signal` collects the status, and asyncio reports 255."""

    async def main():
        process = await ends_when_told()
        end(process)
        process.terminate()
        assert await process.wait() == 7

    roundel.run(main())


def test_a_signal_never_goes_to_a_number_that_was_collected(monkeypatch):
    """The number may be another process's by then, and asyncio's transports signal by number."""
    collected, misdirected = set(), []
    real_waitpid, real_kill = os.waitpid, os.kill

    def waitpid(number, options):
        result = real_waitpid(number, options)
        collected.add(result[0])
        return result

    def kill(number, sent):
        if number in collected:
            misdirected.append(number)
        else:
            real_kill(number, sent)

    async def main():
        process = await asyncio.create_subprocess_exec("sleep", "60")
        while process.returncode is None:
            process.kill()
            await asyncio.sleep(0)
        assert await process.wait() == -signal.SIGKILL

    monkeypatch.setattr(os, "waitpid", waitpid)
    monkeypatch.setattr(os, "kill", kill)
    roundel.run(main())
    assert not misdirected


def test_a_status_that_nobody_can_tell_is_255(caplog):
    async def main():
        process = await ends_when_told()
        end(process)
        os.waitpid(process.pid, 0)
        with caplog.at_level(logging.WARNING, "asyncio"):
            assert await process.wait() == 255
        assert "exit status already read" in caplog.text

    roundel.run(main())


def test_all_waiters_are_told(both):
    async def main():
        process = await asyncio.create_subprocess_exec("sh", "-c", "read line; exit 5", stdin=PIPE)
        waiters = [asyncio.ensure_future(process.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        process.stdin.close()
        assert await asyncio.gather(*waiters) == [5, 5, 5]
        assert await process.wait() == 5

    both(main())


def test_many_children_of_loops_in_several_threads():
    codes = {}

    async def start(number):
        process = await asyncio.create_subprocess_exec("sh", "-c", f"exit {number}")
        codes[number] = await process.wait()

    async def main(numbers):
        await asyncio.gather(*map(start, numbers))

    threads = [
        threading.Thread(target=roundel.run, args=(main(range(first, first + 25)),))
        for first in range(0, 100, 25)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {number: number for number in range(100)}


def test_a_start_that_is_cancelled_leaves_no_child(both):
    async def main():
        task = asyncio.ensure_future(
            asyncio.create_subprocess_exec("sleep", "60", stdin=PIPE, stdout=PIPE)
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    both(main())


def test_a_wait_that_is_cancelled_can_be_repeated(both):
    async def main():
        process = await asyncio.create_subprocess_exec("sh", "-c", "read line; exit 5", stdin=PIPE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.01)
        process.stdin.close()
        assert await process.wait() == 5

    both(main())


def test_a_loop_that_is_closed_lets_a_running_child_go():
    """Its descriptors are closed, the child is its parent's to end."""

    async def main():
        return await asyncio.create_subprocess_exec("sleep", "60")

    loop = roundel.new_event_loop()
    process = loop.run_until_complete(main())
    loop.close()
    process._transport.close()
    child = process._transport._proc
    child.kill()
    assert child.wait() == -signal.SIGKILL


def test_a_child_is_watched_even_when_no_descriptor_is_left(monkeypatch):
    def refuse(pid):
        raise OSError(errno.EMFILE, "Too many open files")

    async def main():
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 7")
        assert await process.wait() == 7

    monkeypatch.setattr(os, "pidfd_open", refuse)
    roundel.run(main())


def test_without_pidfds_threads_wait(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")

    async def main():
        processes = [
            await asyncio.create_subprocess_exec("sh", "-c", f"exit {code}") for code in range(5)
        ]
        assert [await process.wait() for process in processes] == list(range(5))

    roundel.run(main())


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="child watchers are gone from 3.14 on")
@pytest.mark.filterwarnings("ignore:.*[cC]hild.?[wW]atcher:DeprecationWarning")
def test_a_child_watcher_that_was_chosen_is_used():
    async def main():
        watcher = asyncio.SafeChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
        try:
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", "read line; exit 4", stdin=PIPE
            )
            assert process.pid in watcher._callbacks
            process.stdin.close()
            assert await process.wait() == 4
        finally:
            asyncio.set_child_watcher(None)
            with contextlib.suppress(ValueError):
                watcher.close()

    roundel.run(main())
