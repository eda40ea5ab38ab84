import type { LabelFilterRule } from './scope.ts';

export interface SystemFilter {
  id: string;
  rules: readonly LabelFilterRule[];
}

function label(key: string, operator: LabelFilterRule['operator'], ...values: string[]): LabelFilterRule {
  return { type: 'label', key, operator, values };
}

const topLevel = label('csys-obj-parent', 'is_null');

/** Kinds of deployments that bring a label `obj-type` of their own. */
const objectTypes = [
  ...['aws', 'azure', 'gcp', 'terragrunt', 'helm', 'ansible', 'starlingx', 'vsphere', 'docker', 'netconf', 'fabric'],
  ...['libvirt', 'utilities', 'host-pool', 'diamond', 'openstack', 'openstack-v3', 'vcloud'],
];

/** Deployment filters that every manager has. Compatibility: the filters Cloudify 7 creates at installation. */
export const systemFilters: readonly SystemFilter[] = [
  { id: 'csys-environment-filter', rules: [label('csys-obj-type', 'any_of', 'environment'), topLevel] },
  { id: 'csys-service-filter', rules: [label('csys-obj-type', 'is_not', 'environment'), topLevel] },
  { id: 'csys-k8s-filter', rules: [label('obj-type', 'any_of', 'k8s')] },
  { id: 'csys-terraform-filter', rules: [label('obj-type', 'any_of', 'terraform')] },
  ...objectTypes.map((type) => ({ id: `${type}-deployments`, rules: [label('obj-type', 'any_of', type)] })),
];
