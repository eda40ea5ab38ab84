"""Exceptions by which a script says whether its operation may be tried again."""


class CloudifyException(Exception):
    pass


class NonRecoverableError(CloudifyException):
    """The operation failed and must not be tried again."""

    def __init__(self, *args, **kwargs):
        self.causes = kwargs.pop('causes', [])
        super().__init__(*args, **kwargs)


class RecoverableError(CloudifyException):
    """The operation failed and may be tried again, after `retry_after` seconds where that is given."""

    def __init__(self, message='', retry_after=None, causes=None, **kwargs):
        self.retry_after = retry_after
        self.causes = causes or []
        super().__init__(message, **kwargs)


class OperationRetry(RecoverableError):
    """The operation did not fail: it asks to be called again."""


class HttpException(NonRecoverableError):
    def __init__(self, url, code, message, **kwargs):
        self.url = url
        self.code = code
        self.message = message
        super().__init__('%s (%s) : %s' % (url, code, message), **kwargs)


class CommandExecutionException(Exception):
    def __init__(self, command, error, output, code):
        self.command = command
        self.error = error
        self.code = code
        self.output = output
        super().__init__(
            "Command '%s' executed with an error.\ncode: %s\nerror: %s\noutput: %s" % (command, code, error, output))


def kind_of(raised):
    """The class that the workflow engine knows."""
    if isinstance(raised, NonRecoverableError):
        return 'NonRecoverableError'
    if isinstance(raised, OperationRetry):
        return 'OperationRetry'
    return 'RecoverableError'
