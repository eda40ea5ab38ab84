import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { clientEnvironment } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { runProgram } from '../kit/program.ts';

describe('the unmodified Python REST client', function () {
  this.timeout(600_000);
  let manager: EmbeddedManager;

  before(async () => {
    manager = await startEmbeddedManager();
  });

  after(async () => {
    await manager?.stop();
  });

  it('sees what it saw on Cloudify', async () => {
    const python = join(await clientEnvironment(), 'python');
    const script = join(packageRoot(), 'test', 'compat', 'rest_client.py');
    const blueprint = join(packageRoot(), 'test', 'fixtures', 'compat', 'blueprint.yaml');
    const { hostname, port } = new URL(manager.url);
    const { code, stdout, stderr } = await runProgram(python, [
      script,
      hostname,
      port,
      'admin',
      manager.password,
      blueprint,
    ]);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    const seen = JSON.parse(stdout) as Record<string, unknown> & { workflows: string[]; event_types: string[] };
    expect(seen.workflows).to.include.members(['install', 'uninstall', 'scale', 'heal', 'execute_operation']);
    expect(seen.event_types).to.include.members([
      'workflow_started',
      'workflow_succeeded',
      'workflow_node_event',
      'sending_task',
      'task_started',
      'task_succeeded',
    ]);
    const { workflows: _workflows, event_types: _types, ...rest } = seen;
    expect(rest).to.deep.equal({
      status: 'OK',
      edition: 'premium',
      validated: ['CloudifyClientError', 'not_found_error', 404],
      blueprints: ['py'],
      filtered: [],
      deployment: 'py',
      install: ['terminated', '', true],
      instances: [
        ['listener', 'started'],
        ['speaker', 'started'],
      ],
      nodes: ['listener', 'speaker'],
      outputs: { said: 'hello' },
      paging: [1, 2],
      update: ['hello', true],
      refusals: {
        conflict: ['CloudifyClientError', 'conflict_error', 409],
        'missing deployment': ['CloudifyClientError', 'not_found_error', 404],
        'missing input': ['UnknownDeploymentInputError', 'unknown_deployment_input_error', 400],
        duplicate: ['CloudifyClientError', 'conflict_error', 409],
        'bad workflow': ['CloudifyClientError', 'nonexistent_workflow_error', 400],
        'bad parameter': ['IllegalExecutionParametersError', 'illegal_execution_parameters_error', 400],
        'bad include': ['NoSuchIncludeFieldError', 'no_such_include_field_error', 400],
        'in use': ['CloudifyClientError', 'dependent_exists_error', 400],
        'live nodes': ['CloudifyClientError', 'dependent_exists_error', 400],
      },
      secret: 'value',
      token: 'OK',
      download: true,
      left: [],
    });
  });

  it('restores what it has read of one tenant in another, where it can be uninstalled', async () => {
    const python = join(await clientEnvironment(), 'python');
    const script = join(packageRoot(), 'test', 'compat', 'restore_client.py');
    const blueprint = join(packageRoot(), 'test', 'fixtures', 'compat', 'blueprint.yaml');
    const { hostname, port } = new URL(manager.url);
    const folder = join(manager.dataDir, 'files');
    const words = [script, hostname, port, 'admin', manager.password, blueprint, folder];
    const { code, stdout, stderr } = await runProgram(python, words);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    const { counts, ...seen } = JSON.parse(stdout) as Record<string, unknown> & { counts: Record<string, number> };
    // updates of plugins are of managers with plugins
    const missing = Object.keys(counts).filter((kind) => counts[kind] === 0);
    expect(missing).to.deep.equal(['plugins_update']);
    expect(seen).to.deep.equal({
      logged: [],
      differences: {},
      listed: {},
      files: [
        ['run.sh', true],
        ['state.json', false],
      ],
      outputs: { said: 'hello again' },
      capabilities: { heard: 'hello' },
      secret: 'very secret',
      states: ['deleted'],
      untouched: ['started'],
    });
  });
});
