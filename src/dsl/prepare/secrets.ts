import type { Plan } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import { visitFunctions } from '../functions/validate.ts';

/** Tells which secrets there are. */
export interface SecretCheck {
  /** The names among these that no secret has. */
  missing(names: readonly string[]): Promise<readonly string[]>;
}

/**
 * Checks that the secrets a plan reads exist. Names that are known only at run time are not looked at.
 *
 * @param check undefined where there are no secrets at all
 * @throws DslError UnknownSecretError with all missing names, UnsupportedGetSecretError
 */
export async function checkSecrets(plan: Omit<Plan, 'inputs'>, check: SecretCheck | undefined): Promise<void> {
  const names = new Set<string>();
  visitFunctions(plan, ({ name, argument }) => {
    const secret = Array.isArray(argument) ? argument[0] : argument;
    if (name === 'get_secret' && typeof secret === 'string') {
      names.add(secret);
    }
  });
  if (names.size === 0) {
    return;
  }
  if (check === undefined) {
    throw new DslError('UnsupportedGetSecretError', 'The get_secret intrinsic function is not supported');
  }
  const missing = await check.missing([...names]);
  if (missing.length > 0) {
    throw new DslError('UnknownSecretError', `Required secrets: [${missing.join(', ')}] don't exist in this tenant`);
  }
}
