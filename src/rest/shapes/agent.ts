import type { AgentView } from '../../services/agents.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const { text, timestamp, computed } = fieldsOf<AgentView>();

export const agentShape: Shape<AgentView> = {
  kind: 'Agent',
  fields: [
    // Compatibility: Cloudify 7 has one name for both, and clients restore an agent by its id
    text('id', 'name'),
    text('name', 'name'),
    text('host_id', 'hostId'),
    text('node_instance_id', 'nodeInstanceId'),
    text('ip', 'ip'),
    text('install_method', 'installMethod'),
    text('system', 'system'),
    text('version', 'version'),
    computed('node', ['nodeId'], ({ nodeId }) => nodeId, 'text'),
    computed('deployment', ['deploymentId'], ({ deploymentId }) => deploymentId, 'text'),
    text('node_id', 'nodeId'),
    text('deployment_id', 'deploymentId'),
    text('state', 'state'),
    timestamp('created_at', 'createdAt'),
    timestamp('updated_at', 'updatedAt'),
    text('rabbitmq_exchange', 'rabbitmqExchange'),
    computed('rabbitmq_username', ['rabbitmqUsername'], ({ rabbitmqUsername }) => rabbitmqUsername, 'text'),
    computed('rabbitmq_password', ['rabbitmqPassword'], ({ clearPassword }) => clearPassword, 'text'),
    text('visibility', 'visibility', { values: visibilities }),
    ...commonFields<AgentView>(),
  ],
  extraColumns: { node_ids: 'nodeId', node_instance_ids: 'nodeInstanceId', install_methods: 'installMethod' },
};
