import { expect } from 'chai';
import { nodeOf, parse, typesText } from './support.ts';
import type { World } from './support.ts';

const variants = [
  ['types.yaml', '1_5'],
  ['types_1_5.yaml', '1_5'],
  ['types_1_4.yaml', '1_4'],
  ['types_1_3.yaml', '1_3'],
] as const;

function world(name: string): World {
  return { files: { 'types.yaml': typesText(name) } };
}

function using(version: string, text = ''): string {
  return `tosca_definitions_version: cloudify_dsl_${version}\nimports: [types.yaml]\n${text}`;
}

const plainTypes = [
  'Root',
  'Compute',
  'Container',
  'Tier',
  'Volume',
  'ObjectStorage',
  'Network',
  'Subnet',
  'Port',
  'Router',
  'LoadBalancer',
  'VirtualIP',
  'SecurityGroup',
  'SoftwareComponent',
  'Database',
  'ApplicationModule',
  'DBMS',
  'ApplicationServer',
  'MessageBusServer',
  'WebServer',
  'Component',
  'ServiceComponent',
  'Blueprint',
];

describe('built-in types', () => {
  for (const [name, version] of variants) {
    describe(name, () => {
      it('parses and marks itself', async () => {
        expect((await parse(using(version), world(name))).metadata).to.deep.equal({ cloudify_types: true });
      });

      it('has types that need no properties', async () => {
        const nodes = plainTypes.map((type) => `  ${type}: {type: cloudify.nodes.${type}}`).join('\n');
        expect((await parse(using(version, `node_templates:\n${nodes}`), world(name))).nodes).to.have.length(
          plainTypes.length,
        );
      });

      it('has all workflows', async () => {
        const names =
          'install uninstall reinstall start stop restart execute_operation check_status check_drift pull heal scale install_new_agents validate_agents rollback';
        const plan = await parse(using(version), world(name));
        expect(Object.keys(plan.workflows)).to.have.members(names.split(' '));
        for (const { plugin, operation } of Object.values(plan.workflows)) {
          expect(plugin).to.equal('default_workflows');
          expect(operation).to.match(/^cloudify\.plugins\.workflows\.\w+$/);
        }
      });

      it('has all relationships', async () => {
        const text = `node_templates:
  fs:
    type: cloudify.nodes.FileSystem
    properties: {fs_type: ext4, fs_mount_path: /data}
    relationships:
      - {type: cloudify.relationships.file_system_depends_on_volume, target: volume}
      - {type: cloudify.relationships.file_system_contained_in_compute, target: vm}
  volume: {type: cloudify.nodes.Volume}
  vm: {type: cloudify.nodes.Compute}
  app:
    type: cloudify.nodes.Root
    relationships:
      - type: cloudify.relationships.connected_to_shared_resource
        target: shared
        target_interfaces:
          cloudify.interfaces.relationship_lifecycle:
            establish: {inputs: {workflow_id: a}}
            unlink: {inputs: {workflow_id: b}}
  shared: {type: cloudify.nodes.SharedResource, properties: {resource_config: {deployment: {id: d}}}}
`;
        const plan = await parse(using(version, text), world(name));
        expect(nodeOf(plan, 'fs').host_id).to.equal('vm');
        expect(nodeOf(plan, 'vm').plugins_to_install?.map((plugin) => plugin.name)).to.include.members(['agent']);
        expect(nodeOf(plan, 'shared').properties['resource_config']).to.deep.equal({ deployment: { id: 'd' } });
      });
    });
  }

  it('differ between versions as they always did', async () => {
    const plans = await Promise.all(
      variants.map(async ([name, version]) => [name, await parse(using(version), world(name))] as const),
    );
    const of = Object.fromEntries(plans);
    const parameters = (name: string, workflow: string): object => of[name]?.workflows[workflow]?.parameters ?? {};
    expect(parameters('types.yaml', 'uninstall')).to.include.keys('recursive');
    expect(parameters('types_1_4.yaml', 'uninstall')).not.to.include.keys('recursive');
    expect(parameters('types.yaml', 'heal')).to.include.keys('force_reinstall');
    expect(parameters('types_1_3.yaml', 'heal')).to.have.keys('node_instance_id', 'diagnose_value', 'ignore_failure');
    expect(of['types_1_3.yaml']?.workflows['check_status']?.is_cascading).to.equal(true);
    expect(of['types_1_3.yaml']?.workflows['install']?.availability_rules).to.equal(null);
    expect(of['types.yaml']?.workflows['install']?.availability_rules).to.deep.equal({
      node_instances_active: ['none', 'partial'],
    });
  });

  it('have no passwords before 1_4', () => {
    expect(typesText('types_1_3.yaml')).not.to.contain('PasswordSecret');
    expect(typesText('types_1_4.yaml')).to.contain('PasswordSecret');
  });

  it('give hosts an agent configuration that blueprints complete', async () => {
    const text =
      'node_templates: {vm: {type: cloudify.nodes.Compute, properties: {agent_config: {install_method: none, user: root}}}}';
    expect(nodeOf(await parse(using('1_5', text), world('types.yaml')), 'vm').properties).to.deep.equal({
      ip: '',
      os_family: 'linux',
      agent_config: { install_method: 'none', user: 'root', port: 22, network: 'default' },
      install_agent: '',
      cloudify_agent: {},
      use_external_resource: false,
    });
  });
});
