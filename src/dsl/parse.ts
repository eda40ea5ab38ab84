import type { Plan } from '../domain/plan.ts';
import { DslError } from './errors.ts';
import type { ImportResolver } from './imports/resolver.ts';

export type { ImportResolver, ImportedSource } from './imports/resolver.ts';

export interface ParseOptions {
  /** Text of the main blueprint file. */
  readonly text: string;
  /** Path or URL of the main file; scripts and relative imports are looked for beside it. */
  readonly location?: string | undefined;
  readonly resolver: ImportResolver;
  /** Where shared resources such as `cloudify/types/types.yaml` are: a path or URL. */
  readonly resourcesBase?: string | undefined;
  /** Further bases in which scripts are looked for. */
  readonly additionalResourceBases?: readonly string[] | undefined;
  /** Whether constructs newer than the declared version are refused. Default true. */
  readonly validateVersion?: boolean | undefined;
  /** Whether intrinsic functions are validated. Default true. */
  readonly validateFunctions?: boolean | undefined;
  /** Whether input defaults are checked against their constraints. Default true. */
  readonly validateInputDefaults?: boolean | undefined;
}

/**
 * Parses a blueprint with everything it imports into its plan.
 *
 * @throws DslError with class, code, place and remedy; `others` holds further independent mistakes.
 */
// eslint-disable-next-line @typescript-eslint/require-await
export async function parseBlueprint(options: ParseOptions): Promise<Plan> {
  throw new DslError('RuntimeError', `The parser is not there yet (${options.location ?? 'no location'})`);
}
