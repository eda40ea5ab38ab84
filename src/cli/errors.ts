import { GantryApiError, ManagerUnreachableError } from '../client/errors.ts';
import { GantryError } from '../domain/errors.ts';

/** What the process answers to its caller; documented in `gantry --help`. */
export const exitCodes = {
  ok: 0,
  /** The manager refused, or the execution failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  notFound: 3,
  /** Wrong credentials, or not permitted. */
  denied: 4,
  unreachable: 5,
  /** The thing exists already, or its state does not allow the action. */
  conflict: 6,
  interrupted: 130,
} as const;

/** What a command has to say to the person, with remedies one line each. */
abstract class Said extends Error {
  readonly hints: readonly string[];
  abstract readonly exitCode: number;

  constructor(message: string, ...hints: string[]) {
    super(message);
    this.hints = hints;
  }
}

/** A mistake of the person at the keyboard, said in words that help. */
export class UsageError extends Said {
  override readonly name = 'UsageError';
  readonly exitCode = exitCodes.usage;
}

/** The command did what it should, and the answer is bad news: an execution failed, a blueprint is invalid. */
export class FailedOutcome extends Said {
  override readonly name = 'FailedOutcome';
  readonly exitCode = exitCodes.failed;
}

/** What was asked for is not among what the manager answered. */
export class NotFound extends Said {
  override readonly name = 'NotFound';
  readonly exitCode = exitCodes.notFound;
}

/** The person stopped looking; what was looked at goes on. */
export class StoppedFollowing extends Said {
  override readonly name = 'StoppedFollowing';
  readonly exitCode = exitCodes.interrupted;
}

export interface ErrorReport {
  message: string;
  /** Remedies, one line each. */
  hints: readonly string[];
  exitCode: number;
}

const hintsByCode: Readonly<Record<string, string>> = {
  deployment_environment_creation_pending_error: 'The deployment is still being created; try again in a moment.',
  deployment_environment_creation_in_progress_error: 'The deployment is still being created; try again in a moment.',
  existing_running_execution_error: 'Wait for it, cancel it (gantry executions cancel ID), or add --queue.',
  missing_required_deployment_input_error: 'Give inputs with -i name=value or -i inputs.yaml.',
  unknown_deployment_input_error: 'See the declared inputs with: gantry blueprints inputs ID',
  nonexistent_workflow_error: 'See what it has with: gantry workflows list -d DEPLOYMENT',
  unavailable_workflow_error: 'See when it can be started with: gantry workflows get NAME -d DEPLOYMENT',
  illegal_execution_parameters_error: 'See its parameters with: gantry workflows get NAME -d DEPLOYMENT',
  deployment_plugin_not_found: 'Upload the plugin with: gantry plugins upload FILE',
  maintenance_mode_active: 'The manager is in maintenance mode.',
};

/** Kinds of things as the manager names them in refusals -> where they are listed. */
const listsOf: Readonly<Record<string, string>> = {
  Agent: 'agents list',
  Blueprint: 'blueprints list',
  Deployment: 'deployments list',
  DeploymentGroup: 'deployments groups list',
  DeploymentUpdate: 'deployments history',
  Execution: 'executions list',
  ExecutionGroup: 'executions groups list',
  ExecutionSchedule: 'deployments schedule list',
  LogBundle: 'log-bundles list',
  NodeInstance: 'node-instances list',
  Plugin: 'plugins list',
  Secret: 'secrets list',
  SecretsProvider: 'secrets providers list',
  Site: 'sites list',
  Snapshot: 'snapshots list',
  Tenant: 'tenants list',
  User: 'users list',
};

function hintsFor(error: GantryApiError): string[] {
  if (error.code === 'dependent_exists_error') {
    if (/running or queued executions/.test(error.message)) {
      return ['Wait for them, or cancel them: gantry executions cancel ID'];
    }
    return /live nodes/.test(error.message)
      ? ['Uninstall it first: gantry executions start uninstall -d ID --follow', 'Or take it away as it is: --force']
      : ['See what depends on it above; --force ignores dependents where the manager allows it.'];
  }
  if (error.status === 404) {
    const list = listsOf[/`(\w+)`/.exec(error.message)?.[1] ?? ''];
    return list === undefined ? [] : [`See which there are: gantry ${list}`];
  }
  if (error.status === 409 && /already exists/.test(error.message)) {
    return ['Choose another name, or delete what is there.'];
  }
  const hint = hintsByCode[error.code];
  return hint === undefined ? [] : [hint];
}

function reportRefusal(error: GantryApiError): ErrorReport {
  const hints = hintsFor(error);
  if (error.status === 404) {
    return { message: error.message, hints, exitCode: exitCodes.notFound };
  }
  if (error.status === 401) {
    return {
      message: error.message,
      hints: ['Check user and password: gantry profiles use URL --username NAME --password-file FILE'],
      exitCode: exitCodes.denied,
    };
  }
  if (error.status === 403) {
    return {
      message: error.message,
      hints: ['Ask an administrator for the role, or choose another tenant with --tenant NAME.'],
      exitCode: exitCodes.denied,
    };
  }
  if (error.status === 409) {
    return { message: error.message, hints, exitCode: exitCodes.conflict };
  }
  return { message: error.message, hints, exitCode: exitCodes.failed };
}

function reportSilence(error: ManagerUnreachableError): ErrorReport {
  const hints =
    error.reason.includes('CERT') || error.reason.includes('SELF_SIGNED') || error.reason.startsWith('UNABLE_TO_')
      ? ['The certificate is not trusted: give the authority that signed it with --ca FILE.']
      : ['Start a manager here with: gantry up', 'Or choose another one with: gantry profiles use URL'];
  return { message: error.message, hints, exitCode: exitCodes.unreachable };
}

/** Turns whatever a command threw into what the person sees and the code the shell sees. */
export function reportError(thrown: unknown): ErrorReport {
  if (thrown instanceof Said) {
    return { message: thrown.message, hints: thrown.hints, exitCode: thrown.exitCode };
  }
  if (thrown instanceof GantryApiError) {
    return reportRefusal(thrown);
  }
  if (thrown instanceof ManagerUnreachableError) {
    return reportSilence(thrown);
  }
  if (thrown instanceof GantryError) {
    const exitCode = thrown.status === 404 ? exitCodes.notFound : exitCodes.failed;
    return { message: thrown.message, hints: [], exitCode };
  }
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return { message: 'Interrupted', hints: [], exitCode: exitCodes.interrupted };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { message, hints: [], exitCode: exitCodes.failed };
}
