"""Prints every command of the installed cfy, one a line."""
import click

from cloudify_cli import env

# Commands that need a manager are there only while one is in use.
env.is_manager_active = lambda *_args, **_kwargs: True

from cloudify_cli.main import _cfy  # noqa: E402


def walk(command, words, context):
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), words + [name], context)
    else:
        yield " ".join(words)


print("\n".join(sorted(set(walk(_cfy, [], click.Context(_cfy))))))
