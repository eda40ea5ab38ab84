import type { UpdateDeploymentOptions } from '../client/resources/deployment-updates.ts';
import type { Command } from './command-tree.ts';
import { collect } from './invocation.ts';

/** How an update goes about it. */
export interface UpdateChoices {
  force?: boolean;
  workflow?: string;
  reinstall?: readonly string[];
  ignoreFailure?: boolean;
  skipInstall?: boolean;
  skipUninstall?: boolean;
  skipReinstall?: boolean;
  skipDriftCheck?: boolean;
  skipHeal?: boolean;
  forceReinstall?: boolean;
}

/** What the person chose, without blueprint and inputs. */
export function choicesOf(options: UpdateChoices): UpdateDeploymentOptions {
  return {
    isForced: options.force === true,
    ...(options.workflow === undefined ? {} : { workflowId: options.workflow }),
    reinstall: options.reinstall ?? [],
    skipsInstall: options.skipInstall === true,
    skipsUninstall: options.skipUninstall === true,
    skipsReinstall: options.skipReinstall === true,
    skipsDriftCheck: options.skipDriftCheck === true,
    skipsHeal: options.skipHeal === true,
    forcesReinstall: options.forceReinstall === true,
    ignoresFailure: options.ignoreFailure === true,
  };
}

/** Adds the options that {@link choicesOf} reads. */
export function withUpdateChoices(update: Command): Command {
  return update
    .option('--workflow <id>', 'run this workflow instead of the built-in part')
    .option('--reinstall <instance>', 'node instance to reinstall in any case; repeatable', collect)
    .option('--force-reinstall', 'reinstall changed instances instead of updating them')
    .option('--skip-install', 'do not install added instances')
    .option('--skip-uninstall', 'do not uninstall removed instances')
    .option('--skip-reinstall', 'reinstall only what --reinstall names')
    .option('--skip-drift-check', 'do not look for drift')
    .option('--skip-heal', 'do not heal before updating')
    .option('--ignore-failure', 'go on when an uninstall operation fails')
    .option('-f, --force', 'beside running executions, and although others depend on it');
}
