/**
 * Errors of the blueprint language. Each carries the class name and numeric code that Cloudify's parser gave the same
 * mistake, because clients and tests look at those, and the place in the source where the mistake is written.
 */

/** Where a value stands in a tree of mappings and lists. */
export type Path = readonly (string | number)[];

/** Class names under which clients know the errors of the language. */
export type DslErrorClass =
  | 'DSLParsingException'
  | 'DSLParsingLogicException'
  | 'DSLParsingFormatException'
  | 'DSLParsingInputTypeException'
  | 'InvalidBlueprintImport'
  | 'ResolverInstantiationError'
  | 'ConstraintException'
  | 'FunctionValidationError'
  | 'FunctionEvaluationError'
  | 'EvaluationRecursionLimitReached'
  | 'UnknownInputError'
  | 'MissingRequiredInputError'
  | 'InputEvaluationError'
  | 'UnknownSecretError'
  | 'UnsupportedGetSecretError'
  | 'UnknownSysEntityError'
  | 'UnknownSysPropertyError'
  | 'NonRecoverableError'
  | 'IllegalConnectedToConnectionType'
  | 'UnsupportedRelationship'
  | 'IllegalAllToOneState'
  | 'UnsupportedAllToOneInGroup'
  | 'ValueError'
  | 'KeyError'
  | 'TypeError'
  | 'IndexError'
  | 'RuntimeError';

/** Where in the sources an error is. `line` counts from 1, `column` from 0. */
export interface SourceLocation {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the element, such as `node_templates.vm.relationships.0.target`. */
  readonly path?: string;
  /** The source line and, under it, a caret below the column. */
  readonly excerpt?: string;
  /** The value found there, as text. */
  readonly value?: string;
}

export interface DslErrorOptions {
  readonly code?: number | undefined;
  /** Path in the merged blueprint, or dotted path in the plan; the parser turns it into a location. */
  readonly path?: Path | string | undefined;
  readonly location?: SourceLocation | undefined;
  /** What to do about it, one sentence; usually the nearest known name. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** A mistake in a blueprint or in what was given to it. */
export class DslError extends Error {
  override readonly name = 'DslError';
  readonly className: DslErrorClass;
  readonly code: number | undefined;
  path: Path | string | undefined;
  location: SourceLocation | undefined;
  remedy: string | undefined;
  /** Further, independent mistakes found in the same run; this error is the first of them. */
  others: readonly DslError[] = [];

  constructor(className: DslErrorClass, message: string, options: DslErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.className = className;
    this.code = options.code;
    this.path = options.path;
    this.location = options.location;
    this.remedy = options.remedy;
  }

  /** Whether the blueprint itself is wrong (state `invalid`), not the attempt to parse it (`failed_parsing`). */
  get isInvalidBlueprint(): boolean {
    return this.className.startsWith('DSLParsing') || this.className === 'InvalidBlueprintImport';
  }
}

/** A `DSLParsingLogicException`: the blueprint is well formed but contradicts itself. */
export function logicError(code: number, message: string, options: Omit<DslErrorOptions, 'code'> = {}): DslError {
  return new DslError('DSLParsingLogicException', message, { ...options, code });
}

/** A `DSLParsingFormatException`: the blueprint does not have the shape the language asks for. */
export function formatError(code: number, message: string, options: Omit<DslErrorOptions, 'code'> = {}): DslError {
  return new DslError('DSLParsingFormatException', message, { ...options, code });
}

/** A `DSLParsingInputTypeException`: a text or an input that cannot be taken. */
export function inputTypeError(code: number, message: string, options: Omit<DslErrorOptions, 'code'> = {}): DslError {
  return new DslError('DSLParsingInputTypeException', message, { ...options, code });
}

/** A plain `DSLParsingException`. */
export function parsingError(code: number, message: string, options: Omit<DslErrorOptions, 'code'> = {}): DslError {
  return new DslError('DSLParsingException', message, { ...options, code });
}
