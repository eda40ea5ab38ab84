/** A kind of thing that people name on the command line. */
export interface NamedResource {
  /** Where its names are listed, below `/api/v3.1`. */
  readonly path: string;
  /** Member of the listed things that is their name on the command line. */
  readonly member: string;
  /** Member that tells them apart for people. */
  readonly about?: string;
  /** Whether the list takes `_search`; others are searched here. */
  readonly isSearchable: boolean;
  /** Newest first, where names say nothing. */
  readonly sort?: string;
  /** A name as it could be. */
  readonly sample: string;
}

/** How things are called in arguments and options -> where they are. */
export const namedResources = {
  blueprint: { path: '/blueprints', member: 'id', about: 'description', isSearchable: true, sample: 'hello-world' },
  deployment: { path: '/deployments', member: 'id', about: 'blueprint_id', isSearchable: true, sample: 'web' },
  execution: {
    path: '/executions',
    member: 'id',
    about: 'workflow_id',
    isSearchable: false,
    sort: '-created_at',
    sample: '3f0c...',
  },
  'deployment-group': {
    path: '/deployment-groups',
    member: 'id',
    about: 'description',
    isSearchable: false,
    sample: 'fleet',
  },
  'execution-group': {
    path: '/execution-groups',
    member: 'id',
    about: 'workflow_id',
    isSearchable: false,
    sort: '-created_at',
    sample: '5a1d...',
  },
  'node-instance': {
    path: '/node-instances',
    member: 'id',
    about: 'deployment_id',
    isSearchable: true,
    sample: 'web_y9wlce',
  },
  node: { path: '/nodes', member: 'id', about: 'deployment_id', isSearchable: true, sample: 'server' },
  schedule: {
    path: '/execution-schedules',
    member: 'id',
    about: 'deployment_id',
    isSearchable: true,
    sample: 'nightly',
  },
  modification: {
    path: '/deployment-modifications',
    member: 'id',
    about: 'deployment_id',
    isSearchable: false,
    sort: '-created_at',
    sample: '8b2e...',
  },
  update: {
    path: '/deployment-updates',
    member: 'id',
    about: 'deployment_id',
    isSearchable: true,
    sort: '-created_at',
    sample: 'web-1c9f...',
  },
  plugin: { path: '/plugins', member: 'id', about: 'package_name', isSearchable: false, sample: '7c1e...' },
  secret: { path: '/secrets', member: 'key', isSearchable: true, sample: 'db_password' },
  'secrets-provider': { path: '/secrets-providers', member: 'name', isSearchable: true, sample: 'vault' },
  site: { path: '/sites', member: 'name', isSearchable: true, sample: 'paris' },
  snapshot: { path: '/snapshots', member: 'id', isSearchable: true, sort: '-created_at', sample: 'before-upgrade' },
  'log-bundle': { path: '/log-bundles', member: 'id', isSearchable: true, sort: '-created_at', sample: 'monday' },
  tenant: { path: '/tenants', member: 'name', isSearchable: true, sample: 'test' },
  user: { path: '/users', member: 'username', isSearchable: true, sample: 'ann' },
  'user-group': { path: '/user-groups', member: 'name', isSearchable: true, sample: 'operators' },
  token: { path: '/tokens', member: 'id', about: 'description', isSearchable: false, sample: 'Xc4kQ9...' },
  'blueprint-filter': { path: '/filters/blueprints', member: 'id', isSearchable: true, sample: 'tests' },
  'deployment-filter': { path: '/filters/deployments', member: 'id', isSearchable: true, sample: 'tests' },
  manager: { path: '/managers', member: 'hostname', isSearchable: false, sample: 'manager-2' },
  broker: { path: '/brokers', member: 'name', isSearchable: false, sample: 'mq-2' },
  setting: { path: '/config', member: 'name', isSearchable: false, sample: 'max_concurrent_workflows' },
} as const satisfies Readonly<Record<string, NamedResource>>;

/** Groups of commands -> what their arguments `id`, `name` and `key` name. */
const subjects: Readonly<Record<string, keyof typeof namedResources>> = {
  blueprints: 'blueprint',
  'blueprints filters': 'blueprint-filter',
  'cluster brokers': 'broker',
  config: 'setting',
  deployments: 'deployment',
  'deployments filters': 'deployment-filter',
  'deployments groups': 'deployment-group',
  'deployments modifications': 'modification',
  events: 'execution',
  executions: 'execution',
  'executions groups': 'execution-group',
  'log-bundles': 'log-bundle',
  managers: 'manager',
  'node-instances': 'node-instance',
  plugins: 'plugin',
  secrets: 'secret',
  'secrets providers': 'secrets-provider',
  sites: 'site',
  snapshots: 'snapshot',
  tenants: 'tenant',
  tokens: 'token',
  'user-groups': 'user-group',
  users: 'user',
};

const generic = new Set(['id', 'name', 'key', 'filter']);
/** Names that are no resource of the manager, and what they could be. */
const samples: Readonly<Record<string, string>> = {
  connection: 'url=https://vault:8200',
  field: 'visibility',
  address: '10.0.0.12',
  label: 'env:test',
  labels: 'env:test',
  operation: '91ab...',
  permission: 'execution_start',
  role: 'viewer',
  type: 'vault',
  n: '10',
  value: '42',
  visibility: 'global',
  workflow: 'install',
  file: 'FILE',
  path: 'blueprints/hello-world',
};

/**
 * What an argument or option of a command names.
 * @param words of the command
 * @param name of the argument, or of the option in camel case
 * @returns undefined when it is no resource of the manager and nothing typical is known
 */
export function resourceOf(
  words: readonly string[],
  name: string,
): (Partial<NamedResource> & { readonly sample: string }) | undefined {
  const group = words.slice(0, -1).join(' ');
  if (generic.has(name)) {
    const subject = subjects[group] ?? subjects[words.slice(0, -2).join(' ')];
    return subject === undefined ? undefined : namedResources[subject];
  }
  if (name === 'group' && group === 'user-groups') {
    return namedResources['user-group'];
  }
  if (name === 'role' && group !== 'tenants') {
    return { sample: group === 'permissions' ? 'viewer' : 'sys_admin' };
  }
  const plain = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace(/^default-|-id$/g, '');
  if (plain in namedResources) {
    return namedResources[plain as keyof typeof namedResources];
  }
  const sample = samples[name];
  return sample === undefined ? undefined : { sample };
}
