"""What the programs share that drive a manager through the unmodified Python REST client."""

import time

from cloudify_rest_client.exceptions import CloudifyClientError


def wait_for(what, condition, seconds=60):
    deadline = time.time() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.time() > deadline:
            raise RuntimeError('waited in vain for ' + what)
        time.sleep(0.1)


def refusal(call, *args, **kwargs):
    """The class, code and status of the error that a call must end with."""
    try:
        call(*args, **kwargs)
    except CloudifyClientError as error:
        return [type(error).__name__, error.error_code, error.status_code]
    return None
