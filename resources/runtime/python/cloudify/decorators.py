"""`@operation`, which scripts put on functions out of habit; it only passes the context on."""
import functools

from cloudify._context import ctx


def operation(function=None, **_options):
    if function is None:
        return operation

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        kwargs.setdefault('ctx', ctx)
        return function(*args, **kwargs)
    return wrapper
