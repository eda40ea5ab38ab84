"""What comes last: restoring and removing deployments, snapshots and log bundles."""

import os

from client_support import wait_for

from .administration import is_list_of
from .resources import path_in, succeeded
from .walk import check


def removal(walk):
    call = walk.call
    [stored] = call('deployments.dump', deployment_ids=['walked'], expects=is_list_of('walked'))
    call('deployments.delete', 'walked', force=True)
    wait_for('the deletion', lambda: 'walked' not in [item.id for item in walk.client.deployments.list()])
    walk.restore('deployments.restore', [stored], path_func=lambda _: None)
    call('deployments.get', 'walked', expects={'display_name': 'Renamed', 'inputs': {'greeting': 'ahoy'}})
    call('deployments.delete', 'walked', force=True)
    wait_for('the deletion', lambda: 'walked' not in [item.id for item in walk.client.deployments.list()])


def log_bundles(walk):
    call = walk.call
    made = call('log_bundles.create', 'logs', expects={'workflow_id': 'create_log_bundle'})
    succeeded(walk, made.id)
    call('log_bundles.get', 'logs', expects={'status': 'created', 'error': (str, type(None))})
    call('log_bundles.list', expects=is_list_of('logs'))
    archive = call('log_bundles.download', 'logs', path_in(walk, 'logs.zip'), expects=str)
    check(os.path.getsize(archive) > 100, True)
    call('log_bundles.update_status', 'logs', 'created')
    call('log_bundles.upload_archive', 'logs', archive)
    call('log_bundles.delete', 'logs')


def snapshots(walk):
    call = walk.call
    made = call('snapshots.create', 'backup', include_credentials=True, expects={'workflow_id': 'create_snapshot'})
    succeeded(walk, made.id)
    call('snapshots.get', 'backup', expects={'status': 'created', 'error': (str, type(None))})
    call('snapshots.list', expects=is_list_of('backup'))
    call('snapshots.get_status', expects={'status': str})
    call('snapshots.update_status', 'backup', 'created')
    archive = call('snapshots.download', 'backup', path_in(walk, 'backup.zip'), expects=str)
    call('snapshots.delete', 'backup')
    call('snapshots.upload', archive, 'backup', expects={'id': 'backup', 'status': 'uploaded'})
    restored = call('snapshots.restore', 'backup', force=True, expects={'workflow_id': 'restore_snapshot'})
    check(restored.id != '', True)


SECTIONS = (removal, log_bundles, snapshots)
