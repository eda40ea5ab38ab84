import { expect } from 'chai';
import { GantryApiError } from '../../src/client/errors.ts';
import type { GantryClient } from '../../src/client/client.ts';
import { deploy, noopBlueprint, runWorkflow, uploadBlueprint, writeBlueprint } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';

const types = 'imports: [cloudify/types/types.yaml]';
const version = 'tosca_definitions_version: cloudify_dsl_1_3';

/** Blueprints that are wrong, each in its own way, with what the person has to be told. */
const wrongBlueprints: { title: string; text: string; says: RegExp }[] = [
  { title: 'no YAML', text: 'a: [', says: /yaml|flow|parse/i },
  { title: 'an empty file', text: '', says: /tosca_definitions_version/ },
  { title: 'no version', text: `${types}\nnode_templates: {}`, says: /tosca_definitions_version/ },
  {
    title: 'an unknown version',
    text: `tosca_definitions_version: cloudify_dsl_9_9\n${types}`,
    says: /cloudify_dsl_9_9/,
  },
  { title: 'an unknown section', text: `${version}\n${types}\nno_such: {}`, says: /no_such/ },
  { title: 'an unknown type', text: `${version}\n${types}\nnode_templates: {a: {type: no.such}}`, says: /no\.such/ },
  {
    title: 'an import that is not there',
    text: `${version}\nimports: [nowhere.yaml]\nnode_templates: {}`,
    says: /nowhere\.yaml/,
  },
  {
    title: 'a file of the manager',
    text: `${version}\nimports: [/etc/passwd]\nnode_templates: {}`,
    says: /\/etc\/passwd/,
  },
  {
    title: 'a relationship to nothing',
    text: `${version}\n${types}\nnode_templates:\n  a:\n    type: cloudify.nodes.Root\n    relationships:\n      - {type: cloudify.relationships.depends_on, target: ghost}`,
    says: /ghost/,
  },
  {
    title: 'an operation of a plugin that is not declared',
    text: `${version}\n${types}\nnode_templates:\n  a:\n    type: cloudify.nodes.Root\n    interfaces:\n      cloudify.interfaces.lifecycle:\n        create: ghost.tasks.create`,
    says: /ghost\.tasks\.create|plugin/i,
  },
  {
    title: 'an input that does not exist',
    text: `${version}\n${types}\noutputs:\n  a:\n    value: {get_input: ghost}`,
    says: /ghost/,
  },
  {
    title: 'aliases that grow without end',
    text: `${version}\na0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 12 }, (_, index) => `a${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(',')}]`).join('\n')}`,
    says: /alias|too|large|excessive/i,
  },
];

describe('refusals', function () {
  this.timeout(120_000);
  let manager: EmbeddedManager;
  let client: GantryClient;

  before(async () => {
    manager = await startEmbeddedManager();
    ({ client } = manager);
    const blueprint = {
      ...noopBlueprint(1),
      inputs: {
        port: { type: 'integer', constraints: [{ in_range: [1, 100] }] },
        name: { type: 'string', default: 'x' },
      },
    };
    const written = await writeBlueprint(blueprint);
    await uploadBlueprint(client, 'inputs', written.path);
    await written.dispose();
    await deploy(client, 'plain', noopBlueprint(1));
  });

  after(async () => {
    await manager?.stop();
  });

  describe('of blueprints', () => {
    for (const [index, { title, text, says }] of wrongBlueprints.entries()) {
      it(`says what is wrong with ${title}`, async () => {
        const written = await writeBlueprint(text);
        const error = await uploadBlueprint(client, `wrong-${index}`, written.path).catch((thrown: unknown) => thrown);
        await written.dispose();
        expect(String(error)).to.match(says);
      });
    }
  });

  describe('of calls', () => {
    const cases: { title: string; call: () => Promise<unknown>; code: string; says: RegExp }[] = [
      {
        title: 'a missing input',
        call: () => client.deployments.create('d', 'inputs'),
        code: 'missing_required_deployment_input_error',
        says: /port/,
      },
      {
        title: 'an unknown input',
        call: () => client.deployments.create('d', 'inputs', { inputs: { port: 1, ghost: 1 } }),
        code: 'unknown_deployment_input_error',
        says: /ghost/,
      },
      {
        title: 'an input of the wrong type',
        call: () => client.deployments.create('d', 'inputs', { inputs: { port: 'many' } }),
        code: 'deployment_creation_error',
        says: /'integer'|'string'|not comparable/,
      },
      {
        title: 'an input out of its range',
        call: () => client.deployments.create('d', 'inputs', { inputs: { port: 101 } }),
        code: 'deployment_creation_error',
        says: /port|range/,
      },
      {
        title: 'a blueprint that is not there',
        call: () => client.deployments.create('d', 'ghost'),
        code: 'not_found_error',
        says: /ghost/,
      },
      {
        title: 'an id with forbidden characters',
        call: () => client.deployments.create('a b', 'plain'),
        code: 'bad_parameters_error',
        says: /illegal characters/,
      },
      {
        title: 'an id that is taken',
        call: () => client.deployments.create('plain', 'plain'),
        code: 'conflict_error',
        says: /already exists/,
      },
      {
        title: 'a workflow that is not there',
        call: () => client.executions.start('plain', 'ghost'),
        code: 'nonexistent_workflow_error',
        says: /ghost/,
      },
      {
        title: 'a parameter that is not declared',
        call: () => client.executions.start('plain', 'install', { parameters: { ghost: 1 } }),
        code: 'illegal_execution_parameters_error',
        says: /ghost/,
      },
      {
        title: 'a blueprint in use',
        call: () => client.blueprints.delete('plain'),
        code: 'dependent_exists_error',
        says: /plain/,
      },
      {
        title: 'an execution that is not there',
        call: () => client.executions.get('ghost'),
        code: 'not_found_error',
        says: /ghost/,
      },
      {
        title: 'a field that is not there',
        call: () => client.deployments.list({ include: ['ghost'] }),
        code: 'no_such_include_field_error',
        says: /ghost/,
      },
      {
        title: 'a filter that is not there',
        call: () => client.deployments.list({ filters: { ghost: 'x' } }),
        code: 'bad_parameters_error',
        says: /ghost/,
      },
    ];
    for (const { title, call, code, says } of cases) {
      it(`names ${title}`, async () => {
        const error = await call().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).to.be.instanceOf(GantryApiError);
        expect((error as GantryApiError).code).to.equal(code);
        expect((error as GantryApiError).message).to.match(says);
      });
    }
  });

  it('tells why an operation failed, and resumes the execution once that is mended', async () => {
    const failing = {
      ...noopBlueprint(1),
      node_templates: {
        worker: {
          type: 'cloudify.nodes.Root',
          interfaces: {
            'cloudify.interfaces.lifecycle': {
              create: { implementation: 'gantry.fail', inputs: { message: 'no space left' } },
            },
          },
        },
      },
    };
    await deploy(client, 'failing', failing);
    const { execution, events } = await runWorkflow(client, 'failing', 'install');
    expect(execution.status).to.equal('failed');
    expect(execution.error).to.contain('no space left');
    const failures = events.filter(({ event_type: type }) => type === 'task_failed').map(({ message }) => message);
    expect(failures.join('\n')).to.contain('no space left');
    const { stderr, code } = await manager.gantry('executions', 'start', 'install', '-d', 'failing', '--follow');
    expect(code).to.equal(1);
    expect(stderr).to.contain('no space left');
  });
});
