import { hostname } from 'node:os';
import type { ServiceTask } from '../amqp/envelopes.ts';
import type { PluginInstallationState } from '../domain/cluster.ts';
import { coerceError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Logger } from '../log/logger.ts';
import type { PluginPackage, PluginStore } from '../runtime/plugins/plugin-store.ts';
import { findPlugin, setPluginState } from '../store/plugins.ts';
import type { Session } from '../store/session.ts';
import { packageOf } from './manager-runtime.ts';

export interface PluginTaskDependencies {
  readonly log: Logger;
  readonly database: Session;
  readonly files: FileStore;
  /** The plugins installed on this machine. */
  readonly plugins: PluginStore;
}

/** Milliseconds an installation may take. */
const installationTimeout = 10 * 60 * 1000;

function member(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined;
}

function textMember(value: Json | undefined, name: string): string | undefined {
  const found = member(value, name);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** Whether a task names this machine, or none. */
function isMeant(target: Json | undefined): boolean {
  return !Array.isArray(target) || target.includes(hostname());
}

/** Installs and removes plugins on this machine on request, and reports the outcome. */
export function servePluginTasks(dependencies: PluginTaskDependencies): (task: ServiceTask) => Promise<void> {
  const { log, database, files, plugins } = dependencies;

  const install = async (id: string, tenant: string): Promise<void> => {
    const plugin = await findPlugin(database, id);
    if (!plugin) {
      log.info('A plugin to be installed does not exist any more', { plugin: id });
      return;
    }
    const report = (state: PluginInstallationState, error?: string): Promise<unknown> =>
      setPluginState(database, plugin, { managers: [hostname()], agents: [] }, state, error);
    try {
      await report('installing');
      await plugins.install(tenant, packageOf(plugin, files), AbortSignal.timeout(installationTimeout));
      await report('installed');
    } catch (error) {
      log.warn('A plugin could not be installed', { plugin: id, error });
      await report('error', coerceError(error).message);
    }
  };

  const uninstall = async (plugin: Omit<PluginPackage, 'fetchArchive'>, tenant: string): Promise<void> => {
    await plugins.uninstall(tenant, plugin);
    log.info('Removed a plugin', { plugin: plugin.id, name: plugin.packageName });
  };

  return async ({ name, kwargs }) => {
    const { plugin, target } = kwargs;
    const id = textMember(plugin, 'id');
    const tenant = textMember(kwargs['tenant'], 'name');
    if (id === undefined || tenant === undefined || !isMeant(target)) {
      return;
    }
    if (name === 'install-plugin') {
      await install(id, tenant);
    } else if (name === 'uninstall-plugin') {
      const packageName = textMember(plugin, 'package_name') ?? '';
      await uninstall({ id, packageName, packageVersion: textMember(plugin, 'package_version') }, tenant);
    }
  };
}
