"""`from cloudify.state import ctx_parameters`: the inputs of the operation, as attributes and as items."""
from cloudify._context import ctx, post


class Parameters:
    def __init__(self):
        self._values = None

    def _load(self):
        if self._values is None:
            self._values = post('/inputs', None)
        return self._values

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        try:
            return self._load()[name]
        except KeyError:
            raise AttributeError("The operation has no input '%s'" % name) from None

    def __getitem__(self, name):
        return self._load()[name]

    def __contains__(self, name):
        return name in self._load()

    def __iter__(self):
        return iter(self._load())

    def get(self, name, default=None):
        return self._load().get(name, default)

    def keys(self):
        return self._load().keys()

    def values(self):
        return self._load().values()

    def items(self):
        return self._load().items()


class CurrentContext:
    def get_ctx(self):
        return ctx

    def get_parameters(self):
        return ctx_parameters


ctx_parameters = Parameters()
current_ctx = CurrentContext()
