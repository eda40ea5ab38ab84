"""Blueprints, plugins, deployments and what they consist of."""

import io
import json
import os
import tarfile
import zipfile

from client_support import wait_for

from .administration import is_list_of
from .walk import Mismatch, check

ENDED = ('terminated', 'failed', 'cancelled')
LABELS = [{'team': 'walkers'}]
ICON = (
    '89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364600000'
    '00060002308130d02f0000000049454e44ae426082'
)


def ended(walk, execution_id):
    """The execution when it has ended."""
    def find():
        found = walk.client.executions.get(execution_id)
        return found if found.status in ENDED else None
    return wait_for('execution ' + execution_id, find)


def succeeded(walk, execution_id):
    execution = ended(walk, execution_id)
    if execution.status != 'terminated':
        raise Mismatch(f'{execution.workflow_id} is {execution.status}: {execution.error}')
    return execution


def blueprint_path(walk, name='compat'):
    return os.path.join(walk.fixtures, name, 'blueprint.yaml')


def packed(walk, name):
    """The archive of a fixture, as `blueprints.publish_archive` takes it."""
    path = os.path.join(walk.folder, name + '.tar.gz')
    with tarfile.open(path, 'w:gz') as archive:
        archive.add(os.path.join(walk.fixtures, name), arcname=name)
    return path


def path_in(walk, name, content=None):
    path = os.path.join(walk.folder, name)
    if content is not None:
        with open(path, 'wb') as file:
            file.write(content)
    return path


def blueprints(walk):
    call = walk.call
    checked = call('blueprints.validate', blueprint_path(walk), 'checked', expects={'upload_execution': dict})
    succeeded(walk, checked['upload_execution']['id'])
    call('blueprints.upload', blueprint_path(walk), 'walked', labels=LABELS,
         expects={'id': 'walked', 'state': 'uploaded', 'plan': dict, 'main_file_name': 'blueprint.yaml'})
    call('blueprints.publish_archive', packed(walk, 'compat-standalone'), 'packed',
         expects={'id': 'packed', 'state': 'uploaded'})
    call('blueprints.get', 'walked', expects={'description': str, 'visibility': 'tenant', 'is_hidden': False})
    call('blueprints.list', _include=['id', 'state'], expects=is_list_of('walked', 'packed'))
    call('blueprints.list', filter_rules=[{'key': 'team', 'values': ['walkers'], 'operator': 'any_of',
                                           'type': 'label'}], expects=lambda answer: len(answer) == 1)
    call('blueprints.update', 'packed', {'description': 'packed by hand'}, expects={'description': 'packed by hand'})
    call('blueprints.upload_icon', 'packed', path_in(walk, 'icon.png', bytes.fromhex(ICON)))
    call('blueprints.remove_icon', 'packed')
    call('blueprints.set_visibility', 'packed', 'global', expects={'visibility': 'global'})
    call('blueprints.set_global', 'walked', expects={'visibility': 'global'})
    archive = call('blueprints.download', 'packed', path_in(walk, 'packed-down.tar.gz'), expects=str)
    check(tarfile.is_tarfile(archive), True)
    call('blueprints_labels.list_keys', expects=lambda answer: answer.items == ['team'])
    call('blueprints_labels.list_key_values', 'team', expects=lambda answer: answer.items == ['walkers'])
    call('blueprints_labels.get_reserved_labels_keys', expects=lambda answer: 'csys-obj-type' in answer.items)
    stored = call('blueprints.dump', blueprint_ids=['packed'], expects=is_list_of('packed'))
    call('blueprints.delete', 'packed')
    [details] = walk.restore('blueprints.restore', stored, path_func=lambda _: archive)
    walk.refused('blueprints.get', 404, 'nothing')
    call('blueprints.upload_archive', 'packed', archive)
    call('blueprints.update', 'packed', details['packed'][0], expects={'state': 'uploaded', 'plan': dict})
    call('blueprints.delete', 'packed')


def plugin_archive(walk, version):
    """A zip of a plugin as `plugins.upload` takes it: the package and its description."""
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode='w:gz') as archive:
        for name, content in (
            ('tools/package.json', json.dumps({'name': 'tools', 'version': version, 'main': 'index.js'})),
            ('tools/index.js', 'export async function use() {}\n'),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    path = path_in(walk, f'tools-{version}.zip')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(f'tools-{version}.wgn', package.getvalue())
        archive.writestr('plugin.yaml', '\n'.join((
            'plugins:', '  tools:', '    executor: central_deployment_agent', '    package_name: tools',
            f"    package_version: '{version}'", '',
        )))
    return path


def plugins(walk):
    call = walk.call
    plugin = call('plugins.upload', plugin_archive(walk, '1.0.0'), plugin_title='Tools',
                  expects={'package_name': 'tools', 'package_version': '1.0.0', 'title': 'Tools'})
    call('plugins.get', plugin.id, expects={'id': plugin.id, 'installation_state': list})
    call('plugins.list', expects=is_list_of(plugin.id))
    archive = call('plugins.download', plugin.id, path_in(walk, 'tools.zip'), full_archive=True, expects=str)
    check(zipfile.is_zipfile(archive), True)
    call('plugins.download_yaml', plugin.id, path_in(walk, 'tools.yaml'), expects=str)
    call('plugins.get_yaml', plugin.id, expects=lambda answer: 'package_name: tools' in answer)
    call('plugins.list_yaml_files', plugin.id, expects=lambda answer: len(answer) == 1)
    call('plugins.update', plugin.id, blueprint_labels={'uses': ['tools']},
         expects={'blueprint_labels': {'uses': ['tools']}})
    call('plugins.set_owner', plugin.id, 'admin', expects={'created_by': 'admin'})
    [manager] = walk.client.manager.get_managers()
    call('plugins.install', plugin.id, managers=[manager.hostname], expects={'id': plugin.id})
    call('plugins.set_state', plugin.id, 'installed', manager_name=manager.hostname, expects={'id': plugin.id})
    [state] = walk.client.plugins.get(plugin.id).installation_state
    check(state, {'state': 'installed', 'manager': manager.hostname})
    call('plugins.set_visibility', plugin.id, 'tenant', expects={'visibility': 'tenant'})
    stored = call('plugins.dump', plugin_ids=[plugin.id], expects=is_list_of(plugin.id))
    call('plugins.delete', plugin.id)
    walk.restore('plugins.restore', stored, path_func=lambda _: archive)
    call('plugins.get', plugin.id, expects={'title': 'Tools', 'package_version': '1.0.0'})
    call('plugins.set_global', plugin.id, expects={'visibility': 'global'})
    call('plugins.delete', plugin.id)


def deployments(walk):
    call = walk.call
    call('deployments.create', 'walked', 'walked', inputs={'greeting': 'hi'}, labels=LABELS, async_create=False,
         display_name='Walked', expects={'id': 'walked', 'blueprint_id': 'walked', 'inputs': {'greeting': 'hi'}})
    call('deployments.get', 'walked', expects={'display_name': 'Walked', 'workflows': list, 'labels': list})
    call('deployments.list', expects=is_list_of('walked'))
    call('deployments.list', filter_rules=[{'key': 'team', 'values': ['walkers'], 'operator': 'any_of',
                                            'type': 'label'}], expects=is_list_of('walked'))
    call('deployments.list', constraints={'valid_values': ['Walked']}, expects=is_list_of('walked'))
    succeeded(walk, walk.client.executions.start('walked', 'install').id)
    call('deployments.update_labels', 'walked', [{'team': 'others'}],
         expects={'labels': lambda answer: [label['value'] for label in answer] == ['others']})
    call('deployments.set_attributes', 'walked', display_name='Renamed', expects={'display_name': 'Renamed'})
    call('deployments.set_visibility', 'walked', 'tenant', expects={'visibility': 'tenant'})
    walk.client.sites.create('harbour')
    call('deployments.set_site', 'walked', site_name='harbour', expects={'site_name': 'harbour'})
    call('deployments.set_site', 'walked', detach_site=True, expects={'site_name': None})
    walk.client.sites.delete('harbour')
    call('deployments.outputs.get', 'walked', expects={'deployment_id': 'walked', 'outputs': {'said': 'hi'}})
    call('deployments.capabilities.get', 'walked', expects={'deployment_id': 'walked', 'capabilities': {'heard': 'hi'}})
    call('deployments.capabilities.list', 'walked', expects=lambda answer: len(answer) == 1)
    call('deployments.scaling_groups.list', deployment_id='walked', expects=lambda answer: len(answer) == 0)
    call('deployments_labels.list_keys', expects=lambda answer: answer.items == ['team'])
    call('deployments_labels.list_key_values', 'team', expects=lambda answer: answer.items == ['others'])
    call('deployments_labels.get_reserved_labels_keys', expects=lambda answer: 'csys-obj-parent' in answer.items)
    call('workflows.list', expects=lambda answer: 'install' in {workflow.name for workflow in answer})
    call('evaluate.functions', 'walked', {}, {'value': {'get_input': 'greeting'}},
         expects={'deployment_id': 'walked', 'payload': {'value': 'hi'}})


def nodes(walk):
    call = walk.call
    call('nodes.get', 'walked', 'speaker', expects={'id': 'speaker', 'type': 'cloudify.nodes.Root'})
    call('nodes.list', deployment_id='walked', expects=is_list_of('speaker', 'listener'))
    call('nodes.list', deployment_id='walked', constraints={'valid_values': ['speaker']},
         expects=lambda answer: len(answer) == 1)
    call('nodes.types.list', 'Root', deployment_id='walked', expects=is_list_of('speaker', 'listener'))
    stored = call('nodes.dump', deployment_ids=['walked'], expects=lambda answer: len(answer) == 2)
    call('node_instances.list', deployment_id='walked', expects=lambda answer: len(answer) == 2)
    [speaker] = walk.client.node_instances.list(deployment_id='walked', node_id='speaker')
    call('node_instances.get', speaker.id, expects={'state': 'started', 'runtime_properties': {'said': 'hi'}})
    call('node_instances.search', [speaker.id], expects=is_list_of(speaker.id))
    call('node_instances.update', speaker.id, version=speaker.version, runtime_properties={'said': 'ho'},
         expects={'runtime_properties': {'said': 'ho'}, 'version': speaker.version + 1})
    instances = call('node_instances.dump', deployment_ids=['walked'], expects=lambda answer: len(answer) == 2)
    walk.refused('nodes.update', 403, 'walked', 'speaker', properties={'own': 'no'})
    extra = dict(stored[0]['__entity'], id='extra', relationships=[])
    call('nodes.create_many', 'walked', [extra])
    call('nodes.get', 'walked', 'extra', expects={'id': 'extra'})
    instance = dict(instances[0]['__entity'], id='extra_1', node_id='extra', relationships=[])
    call('node_instances.create_many', 'walked', [instance])
    walk.refused('node_instances.delete', 403, 'extra_1')
    walk.refused('nodes.delete', 403, 'walked', 'extra')
    walk.restore('nodes.restore', [dict(extra, id='more', created_by='admin')], 'walked')
    walk.restore('node_instances.restore', [dict(instance, id='more_1', node_id='more', created_by='admin')], 'walked')
    call('node_instances.get', 'more_1', expects={'node_id': 'more'})


def files(walk):
    call = walk.call
    local = path_in(walk, 'workdir')
    os.mkdir(local)
    call('resources.upload_deployment_file', 'walked', 'note.txt', path_in(walk, 'note.txt', b'note'))
    call('resources.get_file', '/resources/deployments/default_tenant/walked/note.txt',
         expects=lambda answer: b''.join(answer.bytes_stream()) == b'note')
    call('resources.download_deployment_workdir', 'walked', local)
    with open(os.path.join(local, 'note.txt'), 'rb') as file:
        check(file.read(), b'note')
    other = path_in(walk, 'other')
    os.mkdir(other)
    with open(os.path.join(other, 'more.txt'), 'wb') as file:
        file.write(b'more')
    call('resources.upload_deployment_workdir', 'walked', other)
    call('resources.delete_deployment_file', 'walked', 'more.txt')
    synced = path_in(walk, 'synced')
    os.mkdir(synced)
    with call('resources.sync_deployment_workdir', 'walked', synced, expects=lambda _: True):
        with open(os.path.join(synced, 'third.txt'), 'wb') as file:
            file.write(b'third')
    answer = walk.client.resources.get_file('/resources/deployments/default_tenant/walked/third.txt')
    check(b''.join(answer.bytes_stream()), b'third')


SECTIONS = (blueprints, plugins, deployments, nodes, files)
