import type { Plan } from '../../domain/plan.ts';
import type { ImportedSource } from '../../dsl/parse.ts';

/** What the parsing thread may ask: the methods of an import resolver, which needs files, network and store. */
export type ResolverMethod = 'fetch' | 'locateFile' | 'resourceExists';

/** What is to be parsed. */
export interface ParseRequest {
  /** Text of the main blueprint file. */
  readonly text: string;
  /** URL of the main file. */
  readonly location?: string;
  /** Path of the blueprint's directory; mistakes are told with the names that files have in it. */
  readonly directory?: string;
}

/** To the thread. */
export type ParserRequest =
  | {
      readonly kind: 'parse';
      readonly options: ParseRequest;
    }
  | { readonly kind: 'answer'; readonly call: number; readonly value: ImportedSource | string | boolean | undefined }
  | { readonly kind: 'refusal'; readonly call: number; readonly error: PlainError };

/** From the thread. */
export type ParserAnswer =
  | { readonly kind: 'ask'; readonly call: number; readonly method: ResolverMethod; readonly argument: string }
  | { readonly kind: 'plan'; readonly plan: Plan }
  | { readonly kind: 'failure'; readonly error: PlainError };

/** An error that crosses threads. */
export interface PlainError {
  readonly message: string;
  readonly stack: string | undefined;
  /** Class and code of an error of the blueprint language. */
  readonly className: string | undefined;
  readonly code: number | undefined;
  /** Message with place, excerpt and remedy. */
  readonly description: string;
  /** Whether the blueprint itself is wrong. */
  readonly isInvalidBlueprint: boolean;
}
