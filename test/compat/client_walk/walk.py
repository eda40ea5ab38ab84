"""Calls methods of the client by name, checks what they answer and keeps the outcome of each."""

import asyncio
import contextlib
import inspect
import traceback

CLIENT_PACKAGES = ('cloudify_rest_client', 'cloudify_async_client')


def parts_of(owner, prefix=''):
    """The objects of a client that carry methods, by dotted name."""
    for name, part in sorted(vars(owner).items()):
        package = type(part).__module__.split('.')[0]
        if name.startswith('_') or name == 'api' or package not in CLIENT_PACKAGES:
            continue
        yield prefix + name, part
        yield from parts_of(part, prefix + name + '.')


def methods_of(client):
    """Every public method, such as `deployments.outputs.get`."""
    return sorted(
        name + '.' + method
        for name, part in parts_of(client)
        for method, _ in inspect.getmembers(part, inspect.ismethod)
        if not method.startswith('_')
    )


# What the manager of these clients left out of some answers, too.
ABSENT = {
    'AuditLog.creator_name', 'AuditLog.execution_id', 'Tenant.direct_users', 'Tenant.group_users',
    'User.direct_tenants', 'User.group_tenants', 'User.user_tenants',
}


class Errors:
    """Takes the place of the logger that restoring methods report refusals to."""

    def __init__(self):
        self.lines = []

    def error(self, message, *values):
        self.lines.append(message % values if values else message)

    warn = warning = error

    def debug(self, *_):
        pass


class Mismatch(Exception):
    """An answer that is not what existing clients rely on."""


def check(answer, expected, place='the answer'):
    """A type, a mapping of what has to be in the answer, a function that tells, or the value itself."""
    if isinstance(expected, type) or isinstance(expected, tuple) and all(isinstance(one, type) for one in expected):
        fits = isinstance(answer, expected)
    elif isinstance(expected, dict):
        for key, value in expected.items():
            if key not in answer:
                raise Mismatch(f'{place} has no {key}: {answer!r:.300}')
            check(answer[key], value, f'{place}[{key}]')
        return
    elif callable(expected):
        fits = expected(answer)
    else:
        fits = answer == expected
    if not fits:
        answer = getattr(answer, 'items', answer) if hasattr(answer, 'metadata') else answer
        wanted = inspect.getsource(expected).strip() if inspect.isfunction(expected) else repr(expected)
        raise Mismatch(f'{place} is {answer!r:.300}, expected {wanted}')


def read_properties(answer):
    """Reads what the class of an answer offers: a field that is missing raises there."""
    items = answer if isinstance(answer, list) or hasattr(answer, 'items') and hasattr(answer, 'metadata') else [answer]
    for item in items:
        if isinstance(item, dict) and type(item) is not dict:
            for name, _ in inspect.getmembers(type(item), lambda member: isinstance(member, property)):
                if f'{type(item).__name__}.{name}' in ABSENT:
                    continue
                try:
                    getattr(item, name)
                except Exception as error:
                    raise Mismatch(f'{type(item).__name__}.{name} cannot be read: {error!r}') from error


class Walk:
    def __init__(self, client):
        self.client = client
        self.parts = dict(parts_of(client))
        self.problems = {}
        self.loop = asyncio.new_event_loop()
        self.interruptions = []

    def call(self, name, /, *args, expects=None, is_whole=True, **kwargs):
        """Calls a method and checks its answer, with all that its class offers unless it is not whole; a problem is kept under its name and ends the section."""
        part, method = name.rsplit('.', 1)
        problems = self.problems.setdefault(name, [])
        try:
            answer = getattr(self.parts[part], method)(*args, **kwargs)
            if inspect.isawaitable(answer):
                answer = self.loop.run_until_complete(answer)
            if inspect.isgenerator(answer):
                answer = list(answer)
            if is_whole:
                read_properties(answer)
            check(answer, expects)
            return answer
        except Exception as error:
            problems.append(f'{type(error).__name__}: {error}')
            raise

    def restore(self, name, entities, /, *args, **kwargs):
        """Calls a restoring method, which reports refusals to a logger instead of raising them."""
        errors = Errors()
        answer = self.call(name, entities, errors, *args, expects=lambda _: not errors.lines, **kwargs)
        if errors.lines:
            raise Mismatch(errors.lines[0])
        return answer

    def refused(self, name, status, /, *args, **kwargs):
        """Calls a method that has to be refused with this status."""
        part, method = name.rsplit('.', 1)
        problems = self.problems.setdefault(name, [])
        try:
            getattr(self.parts[part], method)(*args, **kwargs)
            problems.append(f'was not refused with {status}')
        except Exception as error:
            if getattr(error, 'status_code', None) != status:
                problems.append(f'{type(error).__name__}: {error}, expected a refusal with {status}')

    @contextlib.contextmanager
    def section(self, name):
        """What breaks inside is told and does not keep later sections from running."""
        try:
            yield
        except Exception:
            self.interruptions.append(f'{name}: {traceback.format_exc(limit=-3)}')
