"""What the tests of eager tasks share."""


class FailedError(Exception):
    pass


async def at_once(result=None):
    return result


async def fail_at_once(*args):
    raise FailedError(*args)
