"""Runs a Python script of an operation as the script plugin of Cloudify does: with `__name__ == "__main__"`, and with
`from cloudify import ctx`. An exception that ends it is reported with its class, so that the workflow knows whether to
try again."""
import os
import sys
import traceback

import cloudify
from cloudify import exceptions


def main(path):
    scope = {
        '__name__': '__main__',
        '__file__': path,
        '__doc__': None,
        '__package__': None,
        '__builtins__': __builtins__,
    }
    # the folder of this runner is not the script's business
    sys.path[0] = os.path.dirname(path)
    sys.argv = [path]
    code = 0
    try:
        with open(path, encoding='utf-8', errors='replace') as script:
            source = script.read()
        exec(compile(source, path, 'exec'), scope)
    except SystemExit as end:
        code = exit_code(end)
    except BaseException as raised:
        report(raised)
        code = 1
    if os.environ.get('CTX_SOCKET_URL'):
        cloudify.ctx._finish()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def exit_code(end):
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write('%s\n' % (end.code,))
    return 1


def report(raised):
    frames = raised.__traceback__.tb_next if raised.__traceback__ is not None else None
    text = ''.join(traceback.format_exception(type(raised), raised, frames))
    if not os.environ.get('CTX_SOCKET_URL'):
        sys.stderr.write(text)
        return
    cloudify.ctx._report_failure({
        'kind': exceptions.kind_of(raised),
        'type': type(raised).__name__,
        'message': str(raised),
        'traceback': text,
        'retry_after': getattr(raised, 'retry_after', None),
    })


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
