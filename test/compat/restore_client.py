"""
Copies what one tenant has into another through the unmodified Python REST client, with the client's own `dump` and
`restore`, in the order in which snapshots of Cloudify are restored; prints one JSON object with what differs.
"""

import json
import os
import re
import sys
import tempfile
import uuid

from cloudify_rest_client import CloudifyClient

from client_support import wait_for

# the order of snapshot_restore.py; management comes first
KINDS = [
    'sites', 'secrets_providers', 'secrets', 'blueprints', 'deployments', 'deployment_groups', 'nodes',
    'node_instances', 'agents', 'inter_deployment_dependencies', 'executions', 'execution_groups', 'events',
    'deployment_updates', 'plugins_update', 'deployments_filters', 'blueprints_filters', 'tasks_graphs',
    'execution_schedules',
]


class Log:
    """What the client logs while it restores."""

    def __init__(self):
        self.lines = []

    def _note(self, *words):
        self.lines.append(' '.join(str(word) for word in words))

    error = warn = warning = _note

    def debug(self, *words):
        pass

    info = debug


def run_workflow(client, deployment_id, workflow_id, **kwargs):
    execution = client.executions.start(deployment_id, workflow_id, **kwargs)
    ended = wait_for(
        workflow_id,
        lambda: (lambda found: found if found.status in ('terminated', 'failed', 'cancelled') else None)(
            client.executions.get(execution.id)
        ),
    )
    if ended.status != 'terminated':
        raise RuntimeError('{0} of {1} ended as {2}: {3}'.format(workflow_id, deployment_id, ended.status, ended.error))
    return ended


def prepare(client, ada, blueprint_path):
    """Makes at least one of every kind in the first tenant, some of it as another user."""
    ada.sites.create('hall', location='1.5,2.5')
    client.secrets.create('password', 'very secret', is_hidden_value=True)
    client.secrets_providers.create('local', 'local')
    client.deployments_filters.create('blue', [{'key': 'team', 'values': ['blue'], 'operator': 'any_of', 'type': 'label'}])
    ada.blueprints_filters.create('mine', [{'key': 'created_by', 'values': ['ada'], 'operator': 'any_of', 'type': 'attribute'}])
    client.blueprints.upload(blueprint_path, 'copied', labels=[{'kind': 'small'}])
    client.deployments.create('copied', 'env', display_name='The environment', site_name='hall',
                              labels=[{'csys-obj-type': 'environment'}, {'team': 'blue'}])
    run_workflow(client, 'env', 'install')
    update = client.deployment_updates.update_with_existing_blueprint('env', inputs={'greeting': 'hello again'})
    wait_for('the update', lambda: client.deployment_updates.get(update.id).state == 'successful')
    ada.deployments.create('copied', 'service', labels=[{'csys-obj-parent': 'env'}], inputs={'greeting': 'good morning'})
    client.inter_deployment_dependencies.create('sharedresource.user', 'service', 'env')
    client.deployment_groups.put('pair', description='Both', labels=[{'rank': 'first'}], blueprint_id='copied',
                                 default_inputs={'greeting': 'hello both'}, deployment_ids=['env', 'service'])
    group = client.execution_groups.start('pair', 'execute_operation', default_parameters={
        'operation': 'cloudify.interfaces.lifecycle.precreate', 'node_ids': ['speaker']})
    wait_for('the group', lambda: client.execution_groups.get(group.id).status == 'terminated')
    # the client itself restores no others
    client.execution_schedules.create('nightly', 'env', 'heal', since='2040-01-01 00:00:00', rrule='FREQ=DAILY;COUNT=2',
                                      slip=5, stop_on_fail=True, parameters={'check_status': True})
    instance = client.node_instances.list(deployment_id='env', node_id='speaker')[0]
    client.agents.create('helper', instance.id, state='started', install_method='remote', rabbitmq_exchange='helper',
                         version='7.0.5', ip='127.0.0.1', system='debian')


def put_files(base, tenant, deployment_id):
    """A file and a program in the working directory, as operations leave them."""
    folder = os.path.join(base, 'deployments', tenant, deployment_id, 'notes')
    os.makedirs(folder)
    with open(os.path.join(folder, 'state.json'), 'w') as file:
        file.write('{}')
    program = os.path.join(folder, 'run.sh')
    with open(program, 'w') as file:
        file.write('#!/bin/sh\n')
    os.chmod(program, 0o755)


def dump(client):
    """Everything of the tenant: kind -> list of [source, source id, entity], as snapshot_create.py writes it."""
    dumped = {}
    deployments = execution_ids = group_ids = ()
    for kind in KINDS:
        arguments = {}
        if kind in ('agents', 'nodes', 'node_instances'):
            arguments = {'deployment_ids': deployments}
        elif kind == 'events':
            arguments = {'execution_ids': execution_ids, 'execution_group_ids': group_ids, 'include_logs': True}
        elif kind == 'tasks_graphs':
            operations = {}
            for item in client.operations.dump(execution_ids=execution_ids):
                operations.setdefault(item['__source_id'], []).append(item['__entity'])
            arguments = {'execution_ids': execution_ids, 'operations': operations}
        items = [
            [item.get('__source'), item.get('__source_id'), item['__entity']] if '__entity' in item else [None, None, item]
            for item in getattr(client, kind).dump(**arguments)
        ]
        if kind == 'events':
            for _, _, entity in items:
                entity.pop('_storage_id')
        dumped[kind] = items
        ids = [entity.get('id') for _, _, entity in items]
        if kind == 'deployments':
            deployments = ids
        elif kind == 'executions':
            execution_ids = ids
        elif kind == 'execution_groups':
            group_ids = ids
    return json.loads(json.dumps(dumped))


def renaming(dumped):
    """What gives everything whose id is unique on the whole manager another id, wherever a text mentions it."""
    names = {}
    for kind in ('executions', 'execution_groups', 'inter_deployment_dependencies', 'tasks_graphs'):
        for _, _, entity in dumped[kind]:
            names[entity['id']] = str(uuid.uuid4())
            for operation in entity.get('operations') or []:
                names[operation['id']] = str(uuid.uuid4())
    for _, _, entity in dumped['deployment_updates']:
        names[entity['id']] = 'env-{0}'.format(uuid.uuid4())
    for _, _, entity in dumped['node_instances']:
        names[entity['id']] = '{0}_{1}'.format(entity['node_id'], uuid.uuid4().hex[:6])
    pattern = re.compile('|'.join(re.escape(name) for name in sorted(names, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda match: names[match.group(0)], text)


def restore(client, dumped, source, log):
    folder = tempfile.mkdtemp()

    def archive_of(kind, entity_id):
        path = os.path.join(folder, '{0}-{1}'.format(kind, entity_id))
        if kind == 'blueprints':
            return str(source.blueprints.download(entity_id, path))
        found = source.deployments.get(entity_id, _include=['workdir_zip'], include_workdir=True)['workdir_zip']
        with open(path, 'w') as file:
            file.write(found)
        return path

    for kind in KINDS:
        groups = {}
        for source_type, source_id, entity in dumped[kind]:
            groups.setdefault((source_type, source_id), []).append(entity)
        for (source_type, source_id), entities in groups.items():
            arguments = {}
            if kind in ('blueprints', 'deployments'):
                arguments = {'path_func': lambda entity_id, kind=kind: archive_of(kind, entity_id)}
            elif kind == 'events':
                arguments = {'source_type': source_type, 'source_id': source_id}
            elif kind in ('nodes', 'node_instances'):
                arguments = {'deployment_id': source_id}
            elif kind == 'tasks_graphs':
                arguments = {'execution_id': source_id}
            # what is restored is changed by the client
            entities = json.loads(json.dumps(entities))
            for record in getattr(client, kind).restore(entities, log, **arguments) or []:
                if kind == 'secrets':
                    log.error(record)
                elif kind == 'blueprints':
                    for blueprint_id, (details, _) in record.items():
                        client.blueprints.update(blueprint_id, details)


# what lists show beyond the dumps; the client dumps no sites of deployments, and a version is that of a manager
LISTED = {
    'deployments': ('updated_at', 'tenant_name', 'site_name'),
    'executions': ('tenant_name',),
    'nodes': ('tenant_name',),
    'node_instances': ('tenant_name', 'version'),
    'blueprints': ('updated_at', 'tenant_name', 'upload_execution'),
    'deployment_groups': ('tenant_name',),
    'execution_groups': ('tenant_name',),
}


def everything(client, kind, omitted):
    return [
        [None, None, {name: value for name, value in item.items() if name not in omitted}]
        for item in getattr(client, kind).list(_get_data=True)
    ]


def comparable(dumped):
    """The same whatever the order: kind -> texts. Only what belongs to the tenant itself is made alike."""
    kinds = {}
    for kind, items in dumped.items():
        texts = []
        for source_type, source_id, entity in items:
            entity = dict(entity)
            if kind == 'deployment_updates':
                entity['steps'] = [dict(step, id=None, tenant_name=None) for step in entity['steps'] or []]
            for member in ('labels', 'operations'):
                if isinstance(entity.get(member), list):
                    entity[member] = sorted(entity[member], key=lambda item: json.dumps(item, sort_keys=True))
            for member in ('tenant_name', 'rabbitmq_username'):
                entity.pop(member, None)
            texts.append(json.dumps([source_type, source_id, entity], sort_keys=True))
        kinds[kind] = sorted(texts)
    return kinds


def differences(before, after):
    left, right = comparable(before), comparable(after)
    return {
        kind: {'lost': sorted(set(left[kind]) - set(right[kind]))[:3], 'new': sorted(set(right[kind]) - set(left[kind]))[:3]}
        for kind in left
        if left[kind] != right[kind]
    }


def main(host, port, username, password, blueprint_path, base):
    def connect(user, secret, tenant):
        return CloudifyClient(host=host, port=int(port), username=user, password=secret, tenant=tenant)

    tenants = ('first-tenant', 'second-tenant')
    admin = connect(username, password, 'default_tenant')
    admin.users.create('ada', 'ada-password', role='default')
    for tenant in tenants:
        admin.tenants.create(tenant)
        admin.tenants.add_user('ada', tenant, role='user')
    first, second = (connect(username, password, tenant) for tenant in tenants)
    prepare(first, connect('ada', 'ada-password', tenants[0]), blueprint_path)
    put_files(base, tenants[0], 'env')
    log = Log()
    dumped = dump(first)
    renamed = renaming(dumped)
    dumped = json.loads(renamed(json.dumps(dumped)))
    for _, _, secret in dumped['secrets']:
        secret['tenant_name'] = tenants[1]
    restore(second, dumped, first, log)
    listed = [{kind: everything(client, kind, omitted) for kind, omitted in LISTED.items()} for client in (first, second)]
    seen = {
        'logged': log.lines,
        'counts': {kind: len(items) for kind, items in dumped.items()},
        'differences': differences(dumped, dump(second)),
        'listed': differences(json.loads(renamed(json.dumps(listed[0]))), listed[1]),
    }
    workdir = os.path.join(base, 'deployments', tenants[1], 'env', 'notes')
    seen['files'] = [[name, os.access(os.path.join(workdir, name), os.X_OK)] for name in sorted(os.listdir(workdir))]
    seen['outputs'] = second.deployments.outputs.get('env')['outputs']
    seen['capabilities'] = second.deployments.capabilities.get('env')['capabilities']
    seen['secret'] = second.secrets.get('password').value
    second.inter_deployment_dependencies.delete('sharedresource.user', 'service', 'env')
    second.deployments.update_labels('service', [])
    run_workflow(second, 'env', 'uninstall')
    seen['states'] = sorted({item.state for item in second.node_instances.list(deployment_id='env')})
    second.deployments.delete('env')
    wait_for('the deletion', lambda: not [item for item in second.deployments.list() if item.id == 'env'])
    # they go after the deployment
    wait_for('the removal of its files', lambda: not os.path.exists(os.path.join(base, 'deployments', tenants[1], 'env')))
    seen['untouched'] = sorted({item.state for item in first.node_instances.list(deployment_id='env')})
    print(json.dumps(seen))


if __name__ == '__main__':
    main(*sys.argv[1:])
