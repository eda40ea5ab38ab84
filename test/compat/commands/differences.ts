/**
 * Commands of `cfy` that do not behave quite as with a Cloudify Manager, on purpose; `*` stands for every command of
 * the group. The whole story of each stands in docs/compatibility.md.
 */
const differences: Readonly<Record<string, string>> = {
  'agents install': 'no agents are installed on hosts yet; without one, operations run on the manager',
  'agents list': 'accounts on the broker are shown to those who may enter agents',
  'auditlog list': 'refused requests are entries, too; entries say from which address',
  'auditlog truncate': 'leaves an entry itself',
  'blueprints upload': 'all independent mistakes at once, as `file:line:column` with a remedy; archives are bounded',
  'blueprints validate': 'all independent mistakes at once, as `file:line:column` with a remedy',
  'cluster brokers list': 'user and password are shown to administrators only',
  'cluster db-nodes list': 'empty until `db-nodes update` has looked',
  'cluster managers list': 'machines sign on by themselves, and are gone 15 minutes after their last sign of life',
  'cluster status': 'tells the processes of Gantry',
  'config update': 'administrators of the system only',
  'db-nodes list': 'empty until `db-nodes update` has looked',
  'deployments capabilities': 'hidden secrets in them are read for those only who may see them',
  'deployments create': 'a deployment that is refused leaves nothing behind',
  'deployments delete': 'events and log lines go with the deployment, with `--with-logs` or without',
  'deployments groups update-deployments':
    'a deployment counts as done when its update has ended, not when that has begun',
  'deployments groups create': 'everything it says, or nothing',
  'deployments groups extend': 'everything it says, or nothing',
  'deployments groups update': 'everything it says, or nothing; new members get new labels',
  'deployments modifications rollback': 'instances that were there before keep their state and runtime properties',
  'deployments outputs': 'hidden secrets in them are read for those only who may see them',
  'deployments update': 'waits behind a running execution; can be resumed; a preview changes nothing',
  'executions cancel': 'what only waits ends at once; killing what has ended is refused',
  'executions get': 'a paused execution is `started`; its `status_display` is `paused`',
  'executions groups cancel': 'a group of which nothing runs is no error',
  'executions groups start': 'all deployments are checked first; all executions start through the queue',
  'executions start': 'an execution that is refused leaves no row `failed`',
  'ldap set': 'settings are tried before they are stored, when an account is given',
  'license *': 'no licence is needed; answers say that it is valid',
  'log-bundles create': 'the last lines of every process, its log files, and a description of the manager',
  'maintenance-mode activate': 'keeps people from beginning something, never what an execution begins',
  'managers list': 'machines sign on by themselves, and are gone 15 minutes after their last sign of life',
  'permissions *': 'every process follows a change at once',
  'plugins update': 'one update of a blueprint at a time, also with `--force`; it fails as a whole',
  'plugins upload': 'Python plugins are stored, but their operations fail and say so',
  'secrets providers *': 'hosts must be named in `GANTRY_SECRET_HOSTS`; parameters are shown to administrators only',
  'secrets update': 'the hidden value of somebody else cannot be replaced',
  'snapshots create': 'an archive of its own kind',
  'snapshots restore': 'its own archives only; one transaction; what ran is `failed` and can be resumed',
  'tenants delete': 'refused while it has resources',
  'users delete': 'refused while the user owns resources; the last active administrator stays',
};

/** How the answer of a command differs; undefined when it does not. */
export function differenceOf(command: string): string | undefined {
  const group = Object.entries(differences).find(
    ([pattern]) => pattern.endsWith(' *') && command.startsWith(pattern.slice(0, -1)),
  );
  return differences[command] ?? group?.[1];
}

/** Names in the table of differences, for the test that each is a command. */
export const differingCommands: readonly string[] = Object.keys(differences);
