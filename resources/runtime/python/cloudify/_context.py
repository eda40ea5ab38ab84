"""`ctx` for Python scripts: attributes and calls become `ctx` calls over HTTP to the process that runs the operation."""
import copy
import http.client
import json
import logging
import os
import urllib.parse



class RequestError(RuntimeError):
    """An error the other side answered with."""

    def __init__(self, message, kind):
        super().__init__('%s: %s' % (kind, message))
        self.ex_message = message
        self.ex_type = kind


def post(action, value):
    address = os.environ.get('CTX_SOCKET_URL')
    if not address:
        raise RuntimeError('CTX_SOCKET_URL is not set: ctx works only in the scripts of an operation')
    parts = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=300)
    try:
        connection.request('POST', parts.path + action, json.dumps(value).encode('utf-8'),
                           {'Content-Type': 'application/json'})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError('The call was refused with status %s: has the operation ended?' % response.status)
    return json.loads(body.decode('utf-8'))


def call(*args):
    answer = post('', {'args': list(args), 'cwd': os.getcwd()})
    if answer['type'] == 'error':
        raise RequestError(answer['payload']['message'], answer['payload']['type'])
    # a script that aborts goes on to its end: what it asked for is remembered on the other side
    return None if answer['type'] == 'stop_operation' else answer['payload']


class RuntimeProperties(dict):
    """Runtime properties: a change of a key is told at once, a change inside a value when the script ends."""

    def __init__(self, prefix):
        super().__init__(call(*prefix, 'runtime_properties'))
        self._prefix = prefix
        self._stored = copy.deepcopy(dict(self))

    def _call(self, *args):
        return call(*self._prefix, 'runtime_properties', *args)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self._stored[key] = copy.deepcopy(value)
        # two arguments: an object at the end would be taken for named arguments
        self._call('update', {key: value}, {})

    def __delitem__(self, key):
        super().__delitem__(key)
        self._stored.pop(key, None)
        self._call('pop', key, None)

    def pop(self, key, *default):
        if key in self:
            value = self[key]
            del self[key]
            return value
        return super().pop(key, *default)

    def popitem(self):
        key = next(reversed(self))
        return key, self.pop(key)

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args, **kwargs):
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def clear(self):
        for key in list(self):
            del self[key]

    @property
    def dirty(self):
        return self._call('dirty')

    def flush(self):
        changed = {key: value for key, value in self.items()
                   if key not in self._stored or self._stored[key] != value}
        for key, value in changed.items():
            self[key] = value


class Namespace:
    """An object of the context; its attributes are asked for by name."""

    def __init__(self, *prefix):
        self._prefix = prefix

    def __getattr__(self, name):
        if name.startswith('_'):
            raise AttributeError(name)
        return call(*self._prefix, name)


class Node(Namespace):
    @property
    def properties(self):
        return self._once('properties')

    def _once(self, name):
        values = self.__dict__.setdefault('_values', {})
        if name not in values:
            values[name] = call(*self._prefix, name)
        return values[name]


class Instance(Namespace):
    @property
    def runtime_properties(self):
        properties = self.__dict__.get('_properties')
        if properties is None:
            properties = self.__dict__['_properties'] = RuntimeProperties(self._prefix)
        return properties

    @runtime_properties.setter
    def runtime_properties(self, value):
        properties = self.runtime_properties
        properties.clear()
        properties.update(value)

    def update(self, on_conflict=None):
        self._flush()
        call(*self._prefix, 'update')

    def refresh(self, force=False):
        call(*self._prefix, 'refresh', force)
        self.__dict__.pop('_properties', None)

    def _flush(self):
        properties = self.__dict__.get('_properties')
        if properties is not None:
            properties.flush()


class Endpoint:
    def __init__(self, *prefix):
        self.node = Node(*prefix, 'node')
        self.instance = Instance(*prefix, 'instance')


class Operation(Namespace):
    def retry(self, message=None, retry_after=None):
        call('operation', 'retry', {'message': message, 'retry_after': retry_after})
        return message


class CtxHandler(logging.Handler):
    """Sends records to the log of the execution."""

    def emit(self, record):
        level = record.levelname.lower()
        try:
            call('logger', level if level in ('debug', 'warning', 'error', 'critical') else 'info',
                 self.format(record))
        except Exception:
            self.handleError(record)


def make_logger():
    logger = logging.getLogger('ctx')
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = CtxHandler()
    handler.setFormatter(logging.Formatter('%(message)s'))
    logger.handlers = [handler]
    return logger


class Context(Endpoint):
    """The context of the operation that runs."""

    def __init__(self):
        super().__init__()
        self.source = Endpoint('source')
        self.target = Endpoint('target')
        self.operation = Operation('operation')
        self.blueprint = Namespace('blueprint')
        self.deployment = Namespace('deployment')
        self.plugin = Namespace('plugin')
        self.logger = make_logger()

    def __getattr__(self, name):
        if name.startswith('_'):
            raise AttributeError(name)
        return call(name)

    def _get_current_object(self):
        return self

    def returns(self, value):
        call('returns', value, {})

    def abort_operation(self, message=None):
        call('abort_operation', message)

    def retry_operation(self, message=None, retry_after=None):
        call('retry_operation', message, retry_after)

    def send_event(self, event):
        call('send_event', event)

    def get_secret(self, key):
        return call('get_secret', key)

    def get_resource(self, resource_path):
        return call('get_resource', resource_path).encode('utf-8')

    def get_resource_and_render(self, resource_path, template_variables=None):
        return call('get_resource_and_render', resource_path,
                    {'template_variables': template_variables or {}}).encode('utf-8')

    def download_resource(self, resource_path, target_path=None):
        return call('download_resource', resource_path, target_path)

    def download_resource_and_render(self, resource_path, target_path=None, template_variables=None):
        return call('download_resource_and_render', resource_path, target_path,
                    {'template_variables': template_variables or {}})

    def get_config(self, name=None, scope=None):
        return call('get_config', {'name': name, 'scope': scope})

    def get_execution(self):
        return call('get_execution')

    def get_operation(self):
        return call('get_operation')

    def _report_failure(self, report):
        post('/failure', report)

    def _finish(self):
        """Tells the changes inside values of runtime properties."""
        for endpoint in (self, self.source, self.target):
            endpoint.instance._flush()


ctx = Context()
