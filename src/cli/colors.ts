import pc from 'picocolors';

/** Whether people see the output: pipes, files and build servers get plain text unless they ask for colours. */
function isColoured(environment: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (environment['NO_COLOR']) {
    return false;
  }
  return Boolean(environment['FORCE_COLOR']) || (isTerminal && environment['TERM'] !== 'dumb');
}

/** Colours of the command line. */
export const colors = pc.createColors(isColoured(process.env, process.stdout.isTTY === true));
