import type { Json } from '../../domain/plan.ts';
import type { Path } from '../errors.ts';
import { logicError } from '../errors.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction, isMapping } from '../functions/recognise.ts';
import { OPERATORS } from './operators.ts';

/** Whose constraints are declared; the rules for several keys in one mapping differ. */
export interface ConstraintOwner {
  kind: 'input' | 'parameter';
  /** Name of the input or parameter, for messages. */
  name: string;
  /** Blueprint language version as `[1, 5]`; when undefined, version gates are off. */
  version: readonly number[] | undefined;
  /** Path of the `constraints` list, for the error. */
  path?: Path;
}

const ERROR_MESSAGE_VERSION = 5;

/**
 * Checks a `constraints` list as written in a blueprint: every item a mapping with a known operator and an argument of
 * the operator's kind. Functions are accepted as arguments and are not looked into. That the value is a list of
 * mappings is the caller's to check.
 *
 * @throws DslError DSLParsingLogicException 102, 103 or 212
 */
export function validateConstraintDeclarations(constraints: readonly Json[], owner: ConstraintOwner): void {
  constraints.forEach((item, index) => {
    const path = owner.path === undefined ? undefined : [...owner.path, index];
    if (isMapping(item)) {
      checkKeys(Object.keys(item), owner, path);
      for (const [name, argument] of Object.entries(item)) {
        if (name !== 'error_message' || owner.kind === 'parameter') {
          checkOperator(name, argument, owner, path);
        }
      }
    }
  });
}

function allowedOperators(): string {
  return `Allowed operators: ${Object.keys(OPERATORS).join(', ')}`;
}

function checkKeys(keys: readonly string[], owner: ConstraintOwner, path: Path | undefined): void {
  const operators = owner.kind === 'input' ? keys.filter((key) => key !== 'error_message') : keys;
  if (operators.length === 0) {
    throw logicError(103, `Empty constraint operator name given. ${allowedOperators()}`, { path });
  }
  if (keys.length === 1) {
    return;
  }
  if (owner.kind === 'parameter') {
    throw logicError(103, 'Each constraint operator dict must be in its own list item.', { path });
  }
  const [major = 1, minor = 0] = owner.version ?? [1, ERROR_MESSAGE_VERSION];
  if (major === 1 && minor < ERROR_MESSAGE_VERSION) {
    throw logicError(
      102,
      "Constraint's additional attributes are not supported in version " +
        `cloudify_dsl_${String(major)}_${String(minor)}, they were added in cloudify_dsl_1_5`,
      { path },
    );
  }
}

function checkOperator(name: string, argument: Json, owner: ConstraintOwner, path: Path | undefined): void {
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (operator === undefined) {
    throw logicError(103, `No such constraint operator '${name}'. ${allowedOperators()}`, { path });
  }
  if (!isFunction(argument) && !operator.accepts(argument)) {
    throw logicError(
      212,
      `Invalid constraint operator argument "${pythonText(argument)}", for constraint operator "${name}" in ` +
        `"${owner.name}".`,
      { path },
    );
  }
}
