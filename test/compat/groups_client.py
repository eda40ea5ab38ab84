"""Works with groups, dependencies and modifications through the unmodified Python REST client; prints what it saw."""

import json
import sys

from cloudify_rest_client import CloudifyClient

from client_support import refusal, wait_for

ENDED = ('terminated', 'failed', 'cancelled')


def end_of(client, group):
    return wait_for(
        'execution group ' + group.id,
        lambda: (lambda found: found if found.status in ENDED else None)(client.execution_groups.get(group.id)),
    )


def creation_of(client, group_id):
    groups = client.execution_groups.list(deployment_group_id=group_id, workflow_id='create_deployment_environment')
    return [end_of(client, group).status for group in groups]


def run(client, blueprint_path):
    seen = {}
    client.blueprints.upload(blueprint_path, 'grouped', async_upload=True)
    wait_for('the upload', lambda: client.blueprints.get('grouped')['state'] == 'uploaded')
    groups = client.deployment_groups
    group = groups.put('fleet', blueprint_id='grouped', default_inputs={'greeting': 'hi'}, labels=[{'team': 'a'}])
    seen['group'] = [group[name] for name in ('id', 'default_blueprint_id', 'description', 'deployment_ids')]
    group = groups.add_deployments('fleet', count=2)
    seen['generated'] = all(item.startswith('fleet-') for item in group.deployment_ids)
    group = groups.add_deployments('fleet', new_deployments=[{'id': 'named', 'inputs': {'greeting': 'ho'}}])
    seen['creations'] = creation_of(client, 'fleet')
    seen['inputs'] = client.deployments.get('named').inputs
    seen['labels'] = [item['value'] for item in client.deployments.get('named').labels]
    seen['listed'] = [len(item.deployment_ids) for item in groups.list()]
    groups.put('done')
    started = client.execution_groups.start('fleet', 'install', concurrency=2)
    client.execution_groups.set_target_group(started.id, success_group='done')
    ended = end_of(client, started)
    seen['install'] = [ended.status, len(ended.execution_ids), ended.workflow_id, ended.deployment_group_id]
    client.execution_groups.set_concurrency(started.id, 7)
    seen['concurrency'] = client.execution_groups.get(started.id).concurrency
    seen['succeeded'] = len(groups.get('done').deployment_ids)
    summary = client.summary.executions.get(_target_field='status', execution_group_id=started.id)
    seen['summary'] = [[item['status'], item['executions']] for item in summary]
    waiting = client.execution_groups.start('fleet', 'uninstall', concurrency=0)
    client.execution_groups.cancel(waiting.id)
    seen['cancelled'] = sorted({item.status for item in client.executions.list(_group_id=waiting.id)})
    client.execution_groups.set_concurrency(waiting.id, 5)
    client.execution_groups.resume(waiting.id)
    seen['resumed'] = end_of(client, waiting).status
    dumped = [item for item in client.execution_groups.dump() if item['id'] == started.id]
    seen['dumped'] = [len(dumped[0]['execution_ids']), dumped[0]['concurrency']]

    dependencies = client.inter_deployment_dependencies
    other = [item for item in group.deployment_ids if item != 'named'][0]
    made = dependencies.create('sharedresource.x', 'named', target_deployment=other)
    seen['dependency'] = [made.source_deployment_id == 'named', made.target_deployment_id == other]
    seen['cycle'] = refusal(dependencies.create, 'sharedresource.y', other, target_deployment='named')
    seen['needed'] = refusal(client.deployments.delete, other)
    created = dependencies.create_many('named', [{'dependency_creator': 'nodes.z', 'target_deployment': other}])
    seen['many'] = len(created)
    dependencies.update_all('named', [{'dependency_creator': 'nodes.w', 'target_deployment': other}])
    seen['replaced'] = [item.dependency_creator for item in dependencies.list(source_deployment_id='named')]
    dependencies.delete('nodes.w', 'named', target_deployment=other)
    seen['dependencies'] = len(dependencies.list())

    modifications = client.deployment_modifications
    modification = modifications.start('named', nodes={'speaker': {'instances': 3}}, context={'why': 'load'})
    seen['modification'] = [
        modification.status,
        modification['context'],
        len(modification.node_instances.added_and_related) > 0,
    ]
    seen['second'] = refusal(modifications.start, 'named', nodes={'speaker': {'instances': 4}})
    seen['finished'] = modifications.finish(modification.id).status
    seen['speakers'] = client.nodes.list(deployment_id='named', id='speaker')[0]['number_of_instances']
    undone = modifications.start('named', nodes={'speaker': {'instances': 1}})
    seen['undone'] = modifications.rollback(undone.id).status
    seen['ended'] = refusal(modifications.finish, undone.id)

    group = groups.remove_deployments('fleet', ['named'])
    seen['removed'] = 'named' in group.deployment_ids
    groups.delete('done')
    groups.delete('fleet', delete_deployments=True)
    wait_for('the deletion', lambda: len(client.deployments.list()) == 1)
    seen['groups'] = [item['id'] for item in groups.list()]
    return seen


if __name__ == '__main__':
    host, port, username, password, path = sys.argv[1:]
    manager = CloudifyClient(
        host=host, port=int(port), username=username, password=password, tenant='default_tenant'
    )
    print(json.dumps(run(manager, path)))
