import { expect } from 'chai';
import { findWorkflow } from '../../../src/workflows/registry.ts';

describe('workflow registry', () => {
  const resumable: Readonly<Record<string, boolean>> = {
    install: true,
    uninstall: true,
    reinstall: true,
    start: true,
    stop: true,
    restart: true,
    pull: true,
    execute_operation: true,
    check_status: true,
    check_drift: true,
    rollback: true,
    scale_entity: true,
    install_new_agents: true,
    validate_agents: true,
    auto_heal_reinstall_node_subgraph: false,
    scale: false,
  };
  for (const [name, isResumable] of Object.entries(resumable)) {
    it(`knows ${name}, which can${isResumable ? '' : 'not'} be resumed`, () => {
      expect(findWorkflow(`cloudify.plugins.workflows.${name}`)?.isResumable).to.equal(isResumable);
    });
  }

  it('does not mind the name of the plugin before the function', () => {
    expect(findWorkflow('default_workflows.cloudify.plugins.workflows.install')).not.to.equal(undefined);
  });

  it('knows nothing of workflows of plugins', () => {
    expect(findWorkflow('my_plugin.workflows.install')).to.equal(undefined);
  });
});
